"""A bar chart as SVG, without any library."""

from xml.sax.saxutils import escape

WIDTH, BAR, GAP, LEFT, RIGHT = 860, 26, 14, 280, 220


def bars(title, rows, unit):
    """One bar a row of (label, median, least, greatest), with a whisker from least to greatest."""
    top = 64
    height = top + len(rows) * (BAR + GAP) + 12
    scale = (WIDTH - LEFT - RIGHT) / max(row[3] for row in rows)
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {height}" font-family="system-ui, sans-serif" font-size="14">',
        f'<rect width="{WIDTH}" height="{height}" fill="#fff"/>',
        f'<text x="20" y="30" font-size="17" font-weight="600">{escape(title)}</text>',
    ]
    for number, (label, median, least, greatest) in enumerate(rows):
        y = top + number * (BAR + GAP)
        middle = y + BAR / 2
        colour = "#2f6fb3" if label.startswith("platform") else "#9aa5b1"
        parts += [
            f'<text x="{LEFT - 12}" y="{middle + 5}" text-anchor="end">{escape(label)}</text>',
            f'<rect x="{LEFT}" y="{y}" width="{median * scale:.1f}" height="{BAR}" fill="{colour}"/>',
            f'<path d="M{LEFT + least * scale:.1f} {middle}H{LEFT + greatest * scale:.1f}" stroke="#111" stroke-width="2"/>',
            f'<text x="{LEFT + greatest * scale + 8:.1f}" y="{middle + 5}">{median:,.0f} {escape(unit)}</text>',
        ]
    return "\n".join([*parts, "</svg>", ""])
