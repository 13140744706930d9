#!/usr/bin/env python3
"""page.py - the table and the charts of docs/BENCHMARKS.md from one run of logstore-bench

Usage: bench/page.py DIR          DIR holds bench.jsonl (results) and bench.txt (what it said)
       bench/page.py DIR remote   the table of bench/remote; DIR holds remote.jsonl and remote.txt

Only what lies between two markers in the page is replaced; the explanations around it are
written by people.
"""
import datetime
import json
import re
import subprocess
import sys

PAGE = 'docs/BENCHMARKS.md'
BEGIN = '<!-- table: written by script/bench -->'
BEGIN_REMOTE = '<!-- table: written by script/bench remote -->'
END = '<!-- end of table -->'
LESS = ('us', 'ms', 'bytes')  # units of which less is better


def figure(value):
    if value is None:
        return ''
    for size, letter in ((1e9, ' G'), (1e6, ' M'), (1e4, ' k')):
        if abs(value) >= size:
            return f'{value / (1e3 if letter == " k" else size):.3g}{letter}'
    return f'{value:.3g}' if value < 999.5 else f'{value:.0f}'


def conditions(result):
    """(what, relation, figure) of each thing required."""
    return [(what, relation, float(number)) for what, relation, number
            in re.findall(r'([a-z]+)([<>]=)([0-9.e]+)', result['required'] or '')]


def value(result, what):
    if what == 'over':
        parts = result['ours'], result['limit']
        return None if None in parts else parts[0] - parts[1]
    return result[{'limit': 'ratio_limit', 'peer': 'ratio_peer', 'ours': 'ours'}[what]]


def holds(result):
    """True, False, or None if nothing was required. No peer installed is no failure."""
    wanted = conditions(result)
    for what, relation, number in wanted:
        got = value(result, what)
        if got is None and what == 'peer':
            continue
        if got is None or (got < number if relation == '>=' else got > number):
            return False
    return True if wanted else None


WORDS = {'limit': 'limit', 'peer': 'peer', 'over': 'limit + ', 'ours': ''}


def required(result):
    words = []
    for what, relation, number in conditions(result):
        sign = '≥' if relation == '>=' else '≤'
        text = f'{figure(number)} {result["unit"]}' if what in ('ours', 'over') else f'{number:g} ×'
        words.append(f'{sign} {WORDS[what]}{text}' if what == 'over' else
                     f'{sign} {text} {WORDS[what]}'.strip())
    return ', '.join(words)


def table(results):
    yield '| # | workload | ours | limit | best peer | unit | ours/limit | ours/peer | required | |'
    yield '|---|---|---|---|---|---|---|---|---|---|'
    for r in results:
        peer = f'{figure(r["best_peer"])} ({r["peer"]})' if r['peer'] else ''
        verdict = {True: 'ok', False: '**missed**', None: ''}[holds(r)]
        yield (f'| {r["row"]} | {r["name"]} | {figure(r["ours"])} | {figure(r["limit"])} | {peer} '
               f'| {r["unit"]} | {figure(r["ratio_limit"])} | {figure(r["ratio_peer"])} '
               f'| {required(r)} | {verdict} |')


def write_page(results, said, begin):
    machine = [line for line in said if line.startswith(('machine:', 'logstore ', 'peer '))]
    lines = [begin, '']
    lines += [line + '  ' for line in machine]
    lines += [f'date: {datetime.date.today()}; medians', '']
    lines += table(results)
    lines += ['', END]
    with open(PAGE, encoding='utf-8') as f:
        text = f.read()
    before, rest = text.split(begin)
    after = rest.split(END, 1)[1]
    with open(PAGE, 'w', encoding='utf-8') as f:
        f.write(before + '\n'.join(lines) + after)


def chart_ratios(results, column, what, path):
    """Place, name, ratio, ratio required, 1 if it holds and 2 if not; rates alone."""
    rows = [r for r in results if r[column] is not None and r['unit'] not in LESS]
    with open(path, 'w', encoding='utf-8') as f:
        for place, r in enumerate(reversed(rows)):
            wanted = [n for w, _, n in conditions(r) if w == what]
            wanted = wanted[0] if wanted else 'NaN'
            verdict = 0 if wanted == 'NaN' else 1 if r[column] >= wanted else 2
            f.write(f'{place} "{r["name"]}" {r[column]} {wanted} {verdict}\n')
    return len(rows)


def chart_threads(results, path):
    one = [r for r in results if r['row'] == 3 and r['unit'] == 'syncs/s'][:1]
    with open(path, 'w', encoding='utf-8') as f:
        for r in one + [r for r in results if r['row'] == 4]:
            threads = re.search(r'(\d+) threads', r['name'])
            numbers = [n if n is not None else 'NaN'
                       for n in (r['ours'], r['limit'], r['best_peer'])]
            f.write(' '.join(map(str, [threads.group(1) if threads else 1] + numbers)) + '\n')


def read_run(directory, name):
    with open(f'{directory}/{name}.jsonl', encoding='utf-8') as f:
        results = [json.loads(line) for line in f]
    with open(f'{directory}/{name}.txt', encoding='utf-8') as f:
        return results, f.read().splitlines()


def main():
    if len(sys.argv) not in (2, 3) or sys.argv[2:] not in ([], ['remote']):
        sys.exit(__doc__)
    directory = sys.argv[1]
    if sys.argv[2:]:
        write_page(*read_run(directory, 'remote'), BEGIN_REMOTE)
        return
    results, said = read_run(directory, 'bench')
    write_page(results, said, BEGIN)
    limits = chart_ratios(results, 'ratio_limit', 'limit', f'{directory}/limit.dat')
    peers = chart_ratios(results, 'ratio_peer', 'peer', f'{directory}/peer.dat')
    chart_threads(results, f'{directory}/threads.dat')
    subprocess.run(['gnuplot', '-e', f'data="{directory}"; limits={limits}; peers={peers}',
                    'bench/charts.gp'], check=True)


if __name__ == '__main__':
    main()
