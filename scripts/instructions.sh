#!/bin/sh
# Instructions per message of each way to decode each kind of frame, by valgrind: the difference
# between five passes and one over 200 frames. Does not depend on what else the machine does.
set -eu
cd "$(dirname "$0")/.."
bench=$(cargo bench --bench instructions --no-run --message-format=json 2>/dev/null |
    sed -n 's/.*"name":"instructions".*"executable":"\([^"]*\)".*/\1/p' | tail -n 1)
count() {
    valgrind --tool=none --log-file=/dev/null true 2>/dev/null || { echo "valgrind is not here" >&2; exit 1; }
    valgrind --tool=callgrind --callgrind-out-file=/dev/null "$bench" "$@" 2>&1 |
        sed -n 's/.*Collected : \([0-9]*\).*/\1/p'
}
all="binance_depth binance_ticker kraken_book kraken_futures_book coinbase_level2 coinbase_ticker
    bybit_orderbook bybit_ticker okx_books okx_bbo"
for case in ${CASES:-$all}; do
    case $case in binance_*) binary=sbe ;; *) binary= ;; esac
    for way in ${WAYS:-all tier2 plain $binary serde_json simd_json_tape sonic_rs avx2_pass memcpy}; do
        one=$(count "$case" "$way" 1)
        five=$(count "$case" "$way" 5)
        echo "$case $way $(((five - one) / 800))"
    done
done
