from benchmarks.decoder_time import PAIRS, measured


def test_each_variant_is_timed_and_each_pair_compared():
    timings, ratios = measured(size=32, base=2, norm="none", rounds=1, device="cpu")
    parameters = {t.variant: t.parameters for t in timings}
    assert all(t.fastest <= t.milliseconds for t in timings)
    assert list(ratios) == [f"{two} / {one}" for two, one in PAIRS]
    assert all(parameters[two] > parameters[one] for two, one in PAIRS)
