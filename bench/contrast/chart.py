"""chart.py - one picture per way: what its memory was made of while the data grew

The first way gets the wide picture on top, the others share its axes below, three in a row.
Drawn by gnuplot from contrast-WAY.dat: data taken, then three stacked heights, all in MiB.
"""
import os
import subprocess

MIB = 1 << 20
WIDTH, TOP, ROW = 960, 300, 170  # pixels; TOP has the heading and the first picture

KEPT, DIRTY, CLEAN, RULE, INK, FAINT = (
    "#c8553d", "#e9b44c", "#8fb8de", "#7a1f12", "#222222", "#777777")

NAMES = {"store": "logstore: MAP\\\\_SHARED segments",
         "private": "MAP\\\\_PRIVATE file, changed in place",
         "anonymous": "anonymous memory", "malloc": "read() into malloc'ed buffers",
         "posix-shm": "POSIX shared memory", "sysv-shm": "SysV shared memory",
         "tmpfs": "file on tmpfs, write()"}


def write_data(way, path):
    """Heights: memory without a file behind it, + dirty file pages, + clean file pages."""
    with open(path, "w", encoding="ascii") as file:
        for s in way["samples"]:
            if s["settled"]:
                break
            kept = s["anon"] + s["shmem"]
            unwritten = (s["dirty"] or 0) + (s["writeback"] or 0)
            total = max(s["anon"] + s["cache"], kept + unwritten)
            row = (s["taken_bytes"], kept, kept + unwritten, total)
            file.write(" ".join(f"{value / MIB:.3f}" for value in row) + "\n")


def place(x, y, width, height, whole):
    """A picture's frame, given in pixels from the top left, in gnuplot's screen units."""
    return (f"set lmargin at screen {x / WIDTH:.4f}\n"
            f"set rmargin at screen {(x + width) / WIDTH:.4f}\n"
            f"set tmargin at screen {1 - y / whole:.4f}\n"
            f"set bmargin at screen {1 - (y + height) / whole:.4f}\n")


def text(words, at, size=11, colour=INK, align="left"):
    return f"set label \"{words}\" at {at} {align} font ',{size}' tc rgb '{colour}' front\n"


def ending(way, data, limit):
    """What is written, and drawn, where the way came to its end."""
    x = way["taken_bytes"] / MIB
    if way["end"] != "killed":
        return text(f"{way['end']}: {x:,.0f} MiB", f"{data}, {limit * 1.13}", 11, INK, "right")
    cross = (f"set label '' at {x}, {limit} point pt 2 ps 1.5 lw 3.5 lc rgb '{RULE}' front\n")
    return cross + text(f"killed after {x:,.0f} MiB", f"{x}, {limit * 1.13}", 11, RULE)


def panel(way, path, frame, data, limit, whole, wide):
    x, y, width, height = frame
    ticks = max(1, data // 4)
    script = "reset\n" + place(x, y, width, height, whole)
    script += (f"set border 1 lc rgb '{FAINT}'\nset xrange [0:{data}]\n"
               f"set yrange [0:{limit * 1.3}]\n"
               f"set xtics {ticks} nomirror out scale 0.5 offset 0,0.4 tc rgb '{FAINT}' "
               "font ',10' format '%.0f'\n"
               "unset ytics\nunset key\n")
    script += text(f"{{/:Bold {NAMES[way['way']]}}}", "graph 0, graph 1.06", 13 if wide else 12)
    script += (f"set arrow from 0,{limit} to {data},{limit} nohead lw 1.2 dt (6,4) "
               f"lc rgb '{INK}' front\n")
    script += ending(way, data, limit)
    if wide:
        script += text(f"limit {limit:,.0f} MiB", f"{data * 0.005}, {limit * 1.08}", 11, INK)
        script += text("MiB of data taken in", f"{data / 8}, graph -0.097", 10, FAINT, "center")
    script += (f"plot '{path}' u 1:4 w filledcurves x1 fc rgb '{CLEAN}', "
               f"'' u 1:3 w filledcurves x1 fc rgb '{DIRTY}', "
               f"'' u 1:2 w filledcurves x1 fc rgb '{KEPT}'\n")
    return script


def heading(data, limit, whole):
    """The title, and under it the colours and their meaning in one line."""
    title = f"Memory under a limit of {limit:,.0f} MiB while {data:,.0f} MiB of data are taken in"
    script = text(f"{{/:Bold {title}}}", f"screen {24 / WIDTH}, screen {1 - 22 / whole}", 15)
    x = 24
    for colour, words, width in (
            (KEPT, "no file behind it: stays", 200),
            (DIRTY, "dirty file pages: go once written", 250),
            (CLEAN, "clean file pages: go at any time", 0)):
        y = 1 - 50 / whole
        script += (f"set object rectangle from screen {x / WIDTH:.4f}, {y - 6 / whole:.4f} to "
                   f"screen {(x + 14) / WIDTH:.4f}, {y + 6 / whole:.4f} "
                   f"fc rgb '{colour}' fs solid noborder\n")
        script += text(words, f"screen {(x + 20) / WIDTH:.4f}, screen {y:.4f}", 11)
        x += width
    return script


def draw(ways, data, limit, out):
    data, limit = data / MIB, limit / MIB
    whole = TOP + ROW * ((len(ways) + 1) // 3)
    script = (f"set terminal svg size {WIDTH},{whole} font 'Helvetica,Arial,sans-serif' enhanced "
              f"background rgb 'white'\nset output 'contrast.svg'\nset multiplot\n")
    for index, way in enumerate(ways):
        path = f"contrast-{way['way']}.dat"  # gnuplot puts it into the picture
        write_data(way, os.path.join(out, path))
        if index == 0:
            frame = (24, 96, WIDTH - 48, TOP - 140)
            script += panel(way, path, frame, data, limit, whole, True)
            script = script.replace("plot ", heading(data, limit, whole) + "plot ", 1)
        else:
            column, row = (index - 1) % 3, (index - 1) // 3
            frame = (24 + column * 312, TOP + 24 + row * ROW, 288, ROW - 62)
            script += panel(way, path, frame, data, limit, whole, False)
    script += "unset multiplot\n"
    subprocess.run(["gnuplot", "-"], input=script, text=True, check=True, cwd=out)
