//! Curves as SVG, one panel below the other, over a logarithmic axis that they share.

use std::fmt::Write;

/// One panel.
#[derive(Clone, Debug)]
pub struct Curve {
    /// What it shows, with its unit.
    pub title: String,
    /// From left to right; `x` is greater than zero.
    pub points: Vec<(f64, f64)>,
}

const WIDTH: f64 = 640.0;
const PANEL: f64 = 152.0;
const LEFT: f64 = 70.0;
const RIGHT: f64 = 30.0;
const TOP: f64 = 40.0;
const BOTTOM: f64 = 24.0;

/// Draws them.
pub fn draw(axis: &str, curves: &[Curve]) -> String {
    let height = PANEL * curves.len() as f64 + BOTTOM;
    let mut svg = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"{WIDTH}\" height=\"{height}\" \
         font-family=\"sans-serif\" font-size=\"11\">\n\
         <rect width=\"100%\" height=\"100%\" fill=\"white\"/>\n"
    );
    for (at, curve) in curves.iter().enumerate() {
        panel(&mut svg, curve, at as f64 * PANEL);
    }
    let (middle, below) = (WIDTH / 2.0, height - 6.0);
    put(
        &mut svg,
        format_args!("<text x=\"{middle}\" y=\"{below}\" text-anchor=\"middle\">{axis}</text>\n"),
    );
    svg.push_str("</svg>\n");
    svg
}

fn panel(svg: &mut String, curve: &Curve, top: f64) {
    let logs = || curve.points.iter().map(|(x, _)| x.max(1.0).log10());
    let (first, last) = (
        logs().fold(f64::MAX, f64::min),
        logs().fold(f64::MIN, f64::max),
    );
    let highest = curve.points.iter().map(|(_, y)| *y).fold(0.0, f64::max);
    let place = |(x, y): (f64, f64)| {
        let across = match last > first {
            true => (x.max(1.0).log10() - first) / (last - first),
            false => 0.5,
        };
        let up = if highest > 0.0 { y / highest } else { 0.0 };
        let room = PANEL - TOP - BOTTOM;
        (
            LEFT + across * (WIDTH - LEFT - RIGHT),
            top + TOP + room * (1.0 - up),
        )
    };
    let (floor, ceiling) = (top + PANEL - BOTTOM, top + TOP);
    let title = top + 14.0;
    put(
        svg,
        format_args!(
            "<text x=\"{LEFT}\" y=\"{title}\" font-weight=\"bold\">{}</text>\n",
            curve.title
        ),
    );
    put(
        svg,
        format_args!(
            "<path d=\"M{LEFT} {ceiling}V{floor}H{}\" fill=\"none\" stroke=\"#888\"/>\n",
            WIDTH - RIGHT
        ),
    );
    let line: Vec<String> = curve
        .points
        .iter()
        .map(|point| place(*point))
        .map(|(x, y)| format!("{x:.1},{y:.1}"))
        .collect();
    put(
        svg,
        format_args!(
            "<polyline points=\"{}\" fill=\"none\" stroke=\"#1864ab\" stroke-width=\"2\"/>\n",
            line.join(" ")
        ),
    );
    for (x, y) in &curve.points {
        let (across, up) = place((*x, *y));
        put(
            svg,
            format_args!("<circle cx=\"{across:.1}\" cy=\"{up:.1}\" r=\"3\" fill=\"#1864ab\"/>\n"),
        );
        let above = up - 6.0;
        put(
            svg,
            format_args!(
                "<text x=\"{across:.1}\" y=\"{above:.1}\" text-anchor=\"middle\">{}</text>\n",
                short(*y)
            ),
        );
        let under = floor + 13.0;
        put(
            svg,
            format_args!(
                "<text x=\"{across:.1}\" y=\"{under}\" text-anchor=\"middle\" fill=\"#555\">{}</text>\n",
                short(*x)
            ),
        );
    }
}

/// Three digits and a suffix.
fn short(value: f64) -> String {
    let (value, suffix) = match value {
        million if million >= 1e6 => (million / 1e6, " M"),
        thousand if thousand >= 1e4 => (thousand / 1e3, " k"),
        other => (other, ""),
    };
    match value {
        large if large >= 100.0 => format!("{large:.0}{suffix}"),
        middle if middle.fract() == 0.0 => format!("{middle:.0}{suffix}"),
        small => format!("{small:.1}{suffix}"),
    }
}

/// Writing to a string cannot fail.
fn put(svg: &mut String, text: std::fmt::Arguments<'_>) {
    let _ = svg.write_fmt(text);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn points_lie_where_they_belong() {
        let curve = Curve {
            title: "speed".to_owned(),
            points: vec![(1e5, 50.0), (1e6, 100.0), (1e7, 0.0)],
        };
        let svg = draw("size", &[curve]);
        // From the left edge to the right one in even steps, the highest at the ceiling.
        assert!(
            svg.contains(r#"points="70.0,84.0 340.0,40.0 610.0,128.0""#),
            "{svg}"
        );
        for label in ["100 k", "1 M", "10 M", "speed", "size"] {
            assert!(svg.contains(label), "{label}: {svg}");
        }
        assert_eq!(svg.matches("<circle").count(), 3);
    }

    #[test]
    fn nothing_and_one_point_are_drawn_too() {
        let curve = |points| Curve {
            title: String::new(),
            points,
        };
        assert!(!draw("", &[curve(vec![])]).contains("NaN"));
        assert!(!draw("", &[curve(vec![(1e5, 0.0)])]).contains("NaN"));
    }

    #[test]
    fn numbers_are_short() {
        for (value, text) in [
            (0.0, "0"),
            (2.72, "2.7"),
            (17_700.0, "17.7 k"),
            (950.0, "950"),
            (3e7, "30 M"),
        ] {
            assert_eq!(short(value), text);
        }
    }
}
