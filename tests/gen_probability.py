#!/usr/bin/env python3
"""Writes tests/probability_values.h: tail masses to 50 digits, by mpmath.

The incomplete beta function is integrated by mpmath's own series, not by the
continued fraction that worker/probability.c uses.
"""
import mpmath as mp

mp.mp.dps = 60


def student_upper(t, df):
    t, df = mp.mpf(t), mp.mpf(df)
    if t < 0:
        return 1 - student_upper(-t, df)
    x = df / (df + t * t)
    return mp.betainc(df / 2, mp.mpf(1) / 2, 0, x, regularized=True) / 2


def student_density(t, df):
    t, df = mp.mpf(t), mp.mpf(df)
    return (1 + t * t / df) ** (-(df + 1) / 2) / (
        mp.sqrt(df) * mp.beta(df / 2, mp.mpf(1) / 2))


def count_mass(k, shape, rate):
    k, shape, rate = mp.mpf(k), mp.mpf(shape), mp.mpf(rate)
    return (mp.gamma(k + shape) / mp.gamma(shape) / mp.factorial(k) *
            (rate / (1 + rate)) ** shape / (1 + rate) ** k)


def count_lower(k, shape, rate):
    return mp.fsum(count_mass(i, shape, rate) for i in range(int(k) + 1))


def count_upper(k, shape, rate):
    k = int(k)
    if k == 0:
        return mp.mpf(1)
    low = 1 - count_lower(k - 1, shape, rate)
    if low > mp.mpf(10) ** -20:
        return low
    total, i = mp.mpf(0), k
    while True:
        term = count_mass(i, shape, rate)
        total += term
        if term < total * mp.mpf(10) ** -40:
            return total
        i += 1


def at_least(m, n, p):
    p = mp.mpf(p)

    def exactly(i):
        return mp.binomial(n, i) * p ** i * (1 - p) ** (n - i)

    high = 1 - mp.fsum(exactly(i) for i in range(m))
    if high > mp.mpf(10) ** -20:
        return high
    total = mp.mpf(0)
    for i in range(m, n + 1):
        total += exactly(i)
        if exactly(i) < total * mp.mpf(10) ** -40:
            break
    return total


def normal_upper(z):
    return mp.erfc(mp.mpf(z) / mp.sqrt(2)) / 2


NORMAL = ('0', '0.3', '1', '1.6448536269514722', '3', '7', '16', '24.99',
          '25', '25.01', '40', '300', '1e5', '1e8')
STUDENT = [(t, df) for df in ('0.5', '1', '2.5', '9', '20', '300', '6000.5')
           for t in ('-40', '-3', '-0.01', '0.3', '1', '2', '3.5', '8', '44',
                     '2000', '1e12')]
COUNT = [(k, a, b) for a, b in (('0.5', '2'), ('0.5', '2000'), ('12.5', '4'),
                                ('20', '0.02'), ('100', '10'),
                                ('3000.5', '1000'), ('250000', '2500'))
         for k in (0, 1, 2, 5, 13, 60, 100, 400)]
LEAST = [(m, n, p) for m, n in ((1, 1), (1, 10), (1, 1000), (2, 7), (5, 5),
                                (5, 100000))
         for p in ('1e-3', '1e-12', '0.03', '0.4', '1e-200')]


def row(args, values):
    text = ', '.join(list(map(str, args)) +
                     [mp.nstr(mp.log(v), 20) for v in values])
    return '\t{ %s },\n' % text


def main():
    with open('tests/probability_values.h', 'w') as f:
        f.write('/* Made by tests/gen_probability.py; natural logarithms. '
                '*/\n/* clang-format off */\n')
        f.write('/* t, df, upper tail, density */\n'
                'static const double student_values[][4] = {\n')
        for t, df in STUDENT:
            f.write(row((t, df), (student_upper(t, df),
                                  student_density(t, df))))
        f.write('};\n/* k, shape, rate, upper tail, lower tail, mass */\n'
                'static const double count_values[][6] = {\n')
        for k, a, b in COUNT:
            f.write(row((k, a, b), (count_upper(k, a, b),
                                    count_lower(k, a, b),
                                    count_mass(k, a, b))))
        f.write('};\n/* m, n, p, at least m of n */\n'
                'static const double at_least_values[][4] = {\n')
        for m, n, p in LEAST:
            f.write(row((m, n, p), (at_least(m, n, p),)))
        f.write('};\n/* z, upper tail */\n'
                'static const double normal_values[][2] = {\n')
        for z in NORMAL:
            f.write(row((z,), (normal_upper(z),)))
        f.write('};\n')


if __name__ == '__main__':
    main()
