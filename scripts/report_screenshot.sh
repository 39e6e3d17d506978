#!/bin/sh
# Opens a report in headless Chromium, fails on anything that its console complains about, and
# writes a picture of the whole page.
#
#   scripts/report_screenshot.sh REPORT.html OUT.png [light|dark]
set -eu

if [ $# -lt 2 ]; then
    echo "usage: $0 REPORT.html OUT.png [light|dark]" >&2
    exit 2
fi
report=$(realpath "$1")
picture=$(realpath -m "$2")
scheme=${3:-light}
[ -s "$report" ] || { echo "$report: no such report, or an empty one" >&2; exit 1; }

browser=
for name in chromium chromium-browser google-chrome; do
    if command -v "$name" >/dev/null 2>&1; then
        browser=$name
        break
    fi
done
if [ -z "$browser" ]; then
    if ! command -v apt-get >/dev/null 2>&1 || [ "$(id -u)" -ne 0 ]; then
        echo "no chromium, chromium-browser or google-chrome found: install one (Debian, as root: apt-get install -y chromium)" >&2
        exit 1
    fi
    apt-get install -y chromium >&2 || {
        echo "apt-get could not install chromium; apt-get update may help" >&2
        exit 1
    }
    browser=chromium
fi

scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT
dark=
[ "$scheme" = dark ] && dark=--force-dark-mode
rm -f "$picture"
# Nothing may be fetched: no name resolves.
open_page() {
    "$browser" --headless=new --no-sandbox --disable-gpu --hide-scrollbars $dark \
        --user-data-dir="$scratch/profile" --host-resolver-rules='MAP * ~NOTFOUND' \
        --disable-background-networking --enable-logging=stderr --v=0 --virtual-time-budget=3000 "$@"
}
# A copy of the page that says how tall it is, so that the picture ends where the page does.
{ cat "$report"; echo '<script>document.title = "tall " + document.documentElement.scrollHeight</script>'; } >"$scratch/tall.html"
height=$(open_page --window-size=1080,800 --dump-dom "file://$scratch/tall.html" 2>/dev/null |
    sed -n 's/.*<title>tall \([0-9]*\)<.*/\1/p')
[ -n "$height" ] || { echo "$report: the browser did not say how tall the page is" >&2; exit 1; }
open_page --window-size="1080,$height" --screenshot="$picture" "file://$report" 2>"$scratch/log" || {
    cat "$scratch/log" >&2
    exit 1
}
# What the page says, as against what the browser says of its surroundings.
if grep 'CONSOLE' "$scratch/log" >&2; then
    echo "$report: the console complained" >&2
    exit 1
fi
[ -s "$picture" ] || { echo "no picture was written:" >&2; cat "$scratch/log" >&2; exit 1; }
echo "$picture"
