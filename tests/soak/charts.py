"""charts.py - line charts over time, each line's name at its end, drawn by gnuplot as SVG"""
import math
import os
import subprocess
import tempfile

WIDTH, HEIGHT = 900, 230
LEFT, RIGHT, TOP, BOTTOM = 64, 770, 34, 32  # pixels of the frame
INK, FAINT = "#222222", "#777777"
COLOURS = ("#2a6f97", "#c8553d", "#e9a23b", "#5b8c5a", "#7d5ba6")


def value_range(columns, limit, log):
    values = [v for column in columns for v in column if v is not None and (v > 0 or not log)]
    top = max(values + [limit or 0, 1e-9])
    if log:
        low = 10 ** math.floor(math.log10(min(values, default=1)))
        return low, max(10 ** math.ceil(math.log10(top)), low * 10)
    return 0, top * 1.12


def label_heights(ends, low, high, log):
    """Heights, 0..1 of the frame, for the lines' names: near their ends and not on each other."""
    def height(value):
        if value is None or (log and value <= 0):
            return 0.0
        if log:
            return math.log(value / low) / math.log(high / low)
        return (value - low) / (high - low)

    gap, placed, lowest = 0.085, {}, 0.0
    for index in sorted(range(len(ends)), key=lambda i: height(ends[i])):
        placed[index] = max(height(ends[index]), lowest)
        lowest = placed[index] + gap
    excess = max(0.0, lowest - gap - 1.0)
    return [placed[i] - excess for i in range(len(ends))]


def duration_ticks(low, high):
    """One tick for each power of ten of microseconds, in words."""
    ticks = []
    for power in range(round(math.log10(low)), round(math.log10(high)) + 1):
        value, unit = next((10 ** (power + shift), unit) for shift, unit
                           in ((-6, "s"), (-3, "ms"), (0, "µs"), (3, "ns")) if power + shift >= 0)
        ticks.append(f"'{value} {unit}' {10.0 ** power}")
    return ", ".join(ticks)


def script(title, unit, series, times, limit, log, path, name):
    columns = [values for _, values in series]
    low, high = value_range(columns, limit, log)
    ends = [next((v for v in reversed(values) if v is not None), None) for values in columns]
    lines = [f"set terminal svg size {WIDTH},{HEIGHT} font 'Helvetica,Arial,sans-serif' noenhanced "
             f"name '{name}'",
             f"set lmargin at screen {LEFT / WIDTH}", f"set rmargin at screen {RIGHT / WIDTH}",
             f"set tmargin at screen {1 - TOP / HEIGHT}",
             f"set bmargin at screen {BOTTOM / HEIGHT}",
             f"set border 3 lc rgb '{FAINT}'", "unset key",
             "set grid ytics lc rgb '#dddddd' lw 0.6", f"set xrange [0:{max(times[-1], 0.1)}]",
             f"set yrange [{low}:{high}]",
             f"set xtics nomirror out scale 0.5 tc rgb '{FAINT}' font ',10' format '%g s'",
             f"set ytics nomirror out scale 0 tc rgb '{FAINT}' font ',10' format '%g'",
             f"set label 1 \"{title}\" at screen 0.012, screen {1 - 15 / HEIGHT} "
             f"font ',13' tc rgb '{INK}'",
             f"set label 2 '{unit}' at graph 0.005, graph 0.95 font ',10' tc rgb '{FAINT}'"]
    if log:
        lines += ["set logscale y", f"set ytics ({duration_ticks(low, high)})", "unset label 2"]
    if limit:
        lines += [f"set arrow from graph 0, first {limit} to graph 1, first {limit} nohead "
                  f"dt (6,4) lc rgb '{INK}'",
                  f"set label 3 'limit' at graph 0.99, first {limit} right offset 0,0.5 font ',11' "
                  f"tc rgb '{INK}'"]
    for i, (words, _) in enumerate(series):
        height = label_heights(ends, low, high, log)[i]
        lines.append(f"set label '{words}' at graph 1.01, graph {height:.4f} font ',11' "
                     f"tc rgb '{COLOURS[i]}'")
    plots = [f"'{path}' u 1:{i + 2} w linespoints lw 1.6 pt 7 ps 0.12 lc rgb '{COLOURS[i]}'"
             for i in range(len(series))]
    return "\n".join(lines) + "\nplot " + ", ".join(plots) + "\n"


def line_chart(title, unit, times, series, limit=None, log=False, name="chart"):
    """An SVG element. @series: (words, values), a value None where there is none; a
    logarithmic chart is of durations in microseconds."""
    with tempfile.TemporaryDirectory() as folder:
        path = os.path.join(folder, "data")
        with open(path, "w", encoding="utf-8") as file:
            for row in zip(times, *(values for _, values in series)):
                file.write(" ".join("NaN" if v is None or (log and v <= 0) else f"{v:.6g}"
                                    for v in row) + "\n")
        done = subprocess.run(["gnuplot", "-"], text=True, check=True, stdout=subprocess.PIPE,
                              input=script(title, unit, series, times, limit, log, path, name))
    return done.stdout[done.stdout.index("<svg"):]
