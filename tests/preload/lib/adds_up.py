# SPDX-License-Identifier: LGPL-2.1-or-later
"""adds_up.py TOOL PID: the rows of `doctor` make up what the kernel says is resident."""
import re, subprocess, sys
tool, pid = sys.argv[1:]
units = {"B": 1, "KiB": 1 << 10, "MiB": 1 << 20, "GiB": 1 << 30}
report = subprocess.run([tool, "doctor", pid], capture_output=True, text=True, check=True).stdout
rows = re.findall(r"^([ +=]) +([\d.]+) (\w+) +\d+ %", report, re.M)
amounts = {sign: 0 for sign in " +="}
for sign, number, unit in rows:
    amounts[sign] += float(number) * units[unit]
status = open(f"/proc/{pid}/status").read()
kernel = int(re.search(r"VmRSS:\s+(\d+)", status)[1]) << 10
for what, total in (("rows", amounts[" "] + amounts["+"]), ("total", amounts["="])):
    assert abs(total - kernel) < 0.01 * kernel + (256 << 10), (what, total, kernel, report)
print("adds up")
