# charts.gp - docs/bench-*.svg; called by page.py with data (a directory), limits, peers (bars)

good = "#3b7a57"
bad = "#c8642d"
other = "#7a869a"
set encoding utf8
set border 3 lc rgb "#555555"
set tics nomirror out
set style fill solid 0.9 noborder
rgb(text) = int("0x" . text[2:])
colour(verdict) = verdict == 1 ? rgb(good) : verdict == 2 ? rgb(bad) : rgb(other)

# Each bar is ours by theirs; the tick on it is what is required, grey where nothing is.
set key off
set ytics scale 0
set grid x lc rgb "#dddddd" lt 1

set terminal svg size 900,90 + 24 * limits font "sans,12" background "white"
set output "docs/bench-limit.svg"
set title "Store by limit of the machine (1 is the limit; the tick is what is required)"
set yrange [-0.7:limits - 0.3]
set xrange [0:*]
set offsets 0, 0.15, 0, 0
plot data . "/limit.dat" using 3:1:(0):3:($1 - 0.36):($1 + 0.36):(colour($5)):ytic(2) \
         with boxxyerror lc rgb variable, \
     "" using 4:($1 - 0.42):(0):(0.84) with vectors nohead lw 2 lc rgb "black", \
     "" using 3:1:(sprintf(" %.2f", $3)) with labels left offset 0.6, 0

set terminal svg size 900,90 + 24 * peers font "sans,12" background "white"
set output "docs/bench-peer.svg"
set title "Store by best peer (logarithmic; the tick is what is required)"
set yrange [-0.7:peers - 0.3]
set logscale x
set xrange [0.1:200]
plot data . "/peer.dat" using 3:1:(0.1):3:($1 - 0.36):($1 + 0.36):(colour($5)):ytic(2) \
         with boxxyerror lc rgb variable, \
     "" using 4:($1 - 0.42):(0):(0.84) with vectors nohead lw 2 lc rgb "black", \
     "" using 3:1:(sprintf(" %.1f", $3)) with labels left offset 0.6, 0

unset logscale
unset ytics
set terminal svg size 900,420 font "sans,12" background "white"
set output "docs/bench-threads.svg"
set title "Durable appends of 128 B per second, one sync each"
set key left top
set ytics nomirror scale 0.5
set grid y lc rgb "#dddddd" lt 1
set logscale x 2
set logscale y 10
set xrange [0.9:70]
set yrange [*:*]
set offsets 0, 0, 0, 0
set xtics (1, 2, 4, 8, 16, 32, 64)
set format y "%.0s %c"
set xlabel "threads"
plot data . "/threads.dat" using 1:3 with lines dt 2 lc rgb "#999999" title "one thread's limit × threads", \
     "" using 1:2 with linespoints pt 7 lw 2 lc rgb good title "store", \
     "" using 1:4 with linespoints pt 5 lw 2 lc rgb other title "best peer"
