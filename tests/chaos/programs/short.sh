# An agent that keeps its own book: `sh short.sh BOOK NUMBER LINES PAUSE_S CODE`; shell builtins only, so it costs little.
#
# Every line goes to a stream and then into the book, each by one write; rows carry the attempt's name and seconds since
# boot, so that the book alone says what was executed, when, and how far it got.
book=$1 number=$2 lines=$3 pause=$4 code=$5
attempt=${AGENTRUNNER_ATTEMPT#*/}
read -r stat </proc/$$/stat
read -r now _ </proc/uptime
exec 3>>"$book"
set -- ${stat##*) }
echo "start $attempt $now $$ ${20}" >&3
line=0
while [ "$line" -lt "$lines" ]; do
    line=$((line + 1))
    read -r now _ </proc/uptime
    if [ $((line % 3)) -eq 0 ]; then
        echo "$number $attempt err $line" >&2
        echo "err $attempt $now $line" >&3
    else
        echo "$number $attempt out $line"
        echo "out $attempt $now $line" >&3
    fi
    [ "$pause" = 0 ] || sleep "$pause"
done
read -r now _ </proc/uptime
echo "end $attempt $now $code" >&3
exit "$code"
