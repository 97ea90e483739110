"""Statistics of per-round ratios, and the table that scripts/bench prints."""
import statistics

MOST_SPREAD = 0.25  # of the rounds' middle half: beyond it the machine was not ours


def quartiles(values):
    return statistics.quantiles(values, n=4, method="inclusive")


def spread(values):
    lower, median, upper = quartiles(values)
    return (upper - lower) / median


def statistics_of(row):
    """A row with its ratios -> the same with median, quartiles, minimum and number of rounds."""
    lower, median, upper = quartiles(row["ratios"])
    return {"what": row["what"], "against": row["against"], "size": row["size"], "median": median,
            "minimum": min(row["ratios"]), "lower_quartile": lower, "upper_quartile": upper,
            "spread": spread(row["ratios"]), "rounds": len(row["ratios"]), "ratios": row["ratios"]}


def spread_of(roof):
    return {"name": roof["name"], "size": roof["size"], "spread": spread(roof["seconds"])}


def text_of(rows):
    """The rows as lines of aligned columns."""
    header = ["what", "compared with", "size", "median", "min", "quartiles", "rounds"]
    cells = [header]
    for row in rows:
        cells.append([row["what"], row["against"], row["size"], f"{row['median']:.2f}",
                      f"{row['minimum']:.2f}",
                      f"{row['lower_quartile']:.2f} to {row['upper_quartile']:.2f}",
                      str(row["rounds"])])
    widths = [max(len(line[c]) for line in cells) for c in range(len(header))]
    lines = []
    for line in cells:
        columns = [cell.ljust(width) if c < 3 else cell.rjust(width)
                   for c, (cell, width) in enumerate(zip(line, widths))]
        lines.append("  ".join(columns).rstrip())
    return "\n".join(lines)
