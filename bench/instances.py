"""The table of scripts/instances-bench: what its columns mean, and how they are made."""


def ratio(single, several):
    """Mean time of the instances over the time of one alone; None of those that ended early."""
    finished = [seconds for seconds in several if seconds is not None]
    return sum(finished) / len(finished) / single


def throughput(single, several):
    """Passes per second of all instances over those of one alone, by the slowest instance."""
    return len(several) * single / max(several)


def rows(measured):
    """Lines of text. measured: [(label, single seconds, [seconds or None for a killed one])]."""
    lines = [f"{'n':>6} {'single':>9} {'(t1..tk)':>24} {'ratio':>6} {'throughput x':>12}"]
    for label, single, several in measured:
        times = ", ".join("killed" if s is None else f"{s:.2f}" for s in several)
        gain = "-" if None in several else f"{throughput(single, several):.2f}"
        lines.append(f"{label:>6} {single:9.2f} {'(' + times + ')':>24} "
                     f"{ratio(single, several):6.2f} {gain:>12}")
    return lines


def read_feed(text):
    """Rows "50 5.77 6.80 5.69" of times measured elsewhere; "killed" for one that was."""
    measured = []
    for line in text.splitlines():
        words = line.split("#")[0].split()
        if not words:
            continue
        try:
            if len(words) < 3:
                raise ValueError
            times = [None if word == "killed" else float(word) for word in words[1:]]
            if times[0] is None or not any(times[1:]) or min(t for t in times if t is not None) <= 0:
                raise ValueError
        except ValueError:
            raise ValueError(f"{line!r}: want n, the time of one, the times of several") from None
        measured.append((words[0], times[0], times[1:]))
    return measured
