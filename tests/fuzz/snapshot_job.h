/* The job whose state fuzz_snapshot.c reads, and make_seeds.c writes. */
#ifndef FUZZ_SNAPSHOT_JOB_H
#define FUZZ_SNAPSHOT_JOB_H

static const char snapshot_job[] =
    "{\"analysis_config\":{\"bucket_span\":\"1h\",\"influencers\":[\"who\"],"
    "\"detectors\":[{\"function\":\"mean\",\"field_name\":\"value\","
    "\"by_field_name\":\"who\"},{\"function\":\"count\"}]},"
    "\"data_description\":{\"time_field\":\"time\"}}";

#endif
