//! The run over time: faults, latency, throughput and leaders above one axis of time.

mod bands;
mod leaders;

use super::series::{self, Paid, Slice};
use super::svg::{Anchor, Svg};
use super::words;
use crate::history::History;

/// Space between parts.
const GAP: f64 = 34.0;

/// Where times are on the page.
pub(super) struct Axis {
    pub(super) left: f64,
    pub(super) right: f64,
    pub(super) from: u64,
    pub(super) to: u64,
}

impl Axis {
    pub(super) fn x(&self, at: u64) -> f64 {
        let length = self.to.saturating_sub(self.from).max(1) as f64;
        let part = at.clamp(self.from, self.to.max(self.from)) - self.from;
        self.left + (self.right - self.left) * (part as f64 / length)
    }

    /// The middle of a slice.
    fn slice(&self, number: usize, count: usize) -> f64 {
        self.left + (self.right - self.left) * ((number as f64 + 0.5) / count as f64)
    }
}

/// Draws the run, `width` wide.
pub(super) fn draw(history: &History, paid: &[Paid], width: f64) -> String {
    let wide = width > 700.0;
    let (from, to) = series::span(history, paid);
    let axis = Axis {
        left: if wide { 70.0 } else { 52.0 },
        right: width - 12.0,
        from,
        to,
    };
    let slices = series::slices(history, paid, if wide { 240 } else { 90 });
    let mut svg = Svg::new(width);
    let labels = bands::rows(history, &axis);
    let top = bands::height(&labels) + 26.0;
    let latency = (top, if wide { 230.0 } else { 190.0 });
    let throughput = (
        latency.0 + latency.1 + GAP,
        if wide { 120.0 } else { 100.0 },
    );
    let lanes = throughput.0 + throughput.1 + GAP;
    let groups = leaders::groups(history);
    let bottom = lanes + leaders::height(&groups);
    bands::draw(&mut svg, history, &axis, top, bottom);
    bands::label(&mut svg, history, &axis, &labels);
    draw_latency(&mut svg, &axis, &slices, latency);
    draw_throughput(&mut svg, &axis, &slices, throughput);
    leaders::draw(&mut svg, history, &axis, &groups, lanes);
    ticks(&mut svg, &axis, top, bottom, if wide { 10 } else { 5 });
    let class = if wide { "wide" } else { "narrow" };
    let says = "Faults, latency, throughput and leaders over time";
    svg.finish(class, bottom + 24.0, says)
}

/// Median, 99th percentile and maximum on a logarithmic scale.
fn draw_latency(svg: &mut Svg, axis: &Axis, slices: &[Slice], (top, height): (f64, f64)) {
    let all = || slices.iter().filter_map(|slice| slice.latency);
    let highest = all()
        .map(|(.., max)| max)
        .fold(1.0, f64::max)
        .log10()
        .ceil();
    let lowest = all()
        .map(|(p50, ..)| p50.max(0.01))
        .fold(f64::MAX, f64::min);
    let lowest = lowest.min(1.0).log10().floor();
    let decades = (highest - lowest).max(1.0);
    let y = |ms: f64| {
        let part = (ms.max(0.01).log10() - lowest) / decades;
        top + height * (1.0 - part.clamp(0.0, 1.0))
    };
    title(
        svg,
        axis,
        top,
        "Latency",
        &[
            ("max", "longest"),
            ("p99", "99th percentile"),
            ("p50", "median"),
        ],
    );
    for decade in 0..=decades as i32 {
        let ms = 10_f64.powf(lowest + f64::from(decade));
        svg.line("grid", [axis.left, y(ms), axis.right, y(ms)]);
        svg.text(
            "tick",
            Anchor::End,
            axis.left - 6.0,
            y(ms) + 4.0,
            words::round(ms),
        );
    }
    let curve = |pick: fn((f64, f64, f64)) -> f64| -> Vec<Option<(f64, f64)>> {
        let points = slices.iter().enumerate().map(|(number, slice)| {
            let ms = pick(slice.latency?);
            Some((axis.slice(number, slices.len()), y(ms)))
        });
        points.collect()
    };
    svg.curve("curve max", &curve(|(.., max)| max));
    svg.curve("curve p99", &curve(|(_, p99, _)| p99));
    svg.curve("curve p50", &curve(|(p50, ..)| p50));
}

/// Acknowledgements a second as an area, failed sendings as bars before it.
fn draw_throughput(svg: &mut Svg, axis: &Axis, slices: &[Slice], (top, height): (f64, f64)) {
    let seconds = (axis.to.saturating_sub(axis.from)).max(1) as f64 / 1e6 / slices.len() as f64;
    let rate = |number: usize| number as f64 / seconds;
    let of = |slice: &Slice| rate(slice.acknowledged.max(slice.failed));
    let highest = round_up(slices.iter().map(of).fold(1.0, f64::max));
    let floor = top + height;
    let y = |rate: f64| floor - height * (rate / highest).clamp(0.0, 1.0);
    title(
        svg,
        axis,
        top,
        "Throughput, a second",
        &[("ok", "payments acknowledged"), ("bad", "sendings failed")],
    );
    for part in [0.0, 0.5, 1.0] {
        let at = y(highest * part);
        svg.line("grid", [axis.left, at, axis.right, at]);
        let shown = words::count((highest * part).round() as usize);
        svg.text("tick", Anchor::End, axis.left - 6.0, at + 4.0, shown);
    }
    let points: Vec<(f64, f64)> = slices
        .iter()
        .enumerate()
        .map(|(number, slice)| {
            (
                axis.slice(number, slices.len()),
                y(rate(slice.acknowledged)),
            )
        })
        .collect();
    svg.area("area ok", &points, floor);
    let width = (axis.right - axis.left) / slices.len() as f64;
    for (number, slice) in slices
        .iter()
        .enumerate()
        .filter(|(_, slice)| slice.failed > 0)
    {
        let (x, top) = (axis.slice(number, slices.len()), y(rate(slice.failed)));
        let told = format!("{} failed", words::many(slice.failed, "sending"));
        // Few failures are seen as well.
        let height = (floor - top).max(2.0);
        svg.rect(
            "bar bad",
            [x - width / 2.0, floor - height, width, height],
            &told,
        );
    }
}

/// The next of 1, 2, 5, 10, 20, …
fn round_up(value: f64) -> f64 {
    let decade = 10_f64.powf(value.max(1.0).log10().floor());
    let steps = [1.0, 2.0, 5.0, 10.0].map(|step| step * decade);
    steps
        .into_iter()
        .find(|step| *step >= value)
        .unwrap_or(value)
}

/// What a part shows, and in which colours.
fn title(svg: &mut Svg, axis: &Axis, top: f64, name: &str, legend: &[(&str, &str)]) {
    svg.text("name", Anchor::Start, axis.left, top - 9.0, name);
    let mut x = axis.right;
    for (class, text) in legend {
        let width = text.chars().count() as f64 * 7.0;
        svg.text("legend", Anchor::End, x, top - 9.0, text);
        svg.rect(
            &format!("key {class}"),
            [x - width - 16.0, top - 17.0, 10.0, 8.0],
            "",
        );
        x -= width + 30.0;
    }
}

/// The axis of time.
fn ticks(svg: &mut Svg, axis: &Axis, top: f64, bottom: f64, most: u64) {
    let length = axis.to.saturating_sub(axis.from).max(1);
    let steps = [
        100_000_u64,
        200_000,
        500_000,
        1_000_000,
        2_000_000,
        5_000_000,
        10_000_000,
        30_000_000,
        60_000_000,
        300_000_000,
        600_000_000,
        1_800_000_000,
        3_600_000_000,
    ];
    let step = steps.into_iter().find(|step| length / step <= most);
    let step = step.unwrap_or(14_400_000_000);
    let mut at = 0;
    while at <= length {
        let x = axis.x(axis.from + at);
        svg.line("upright", [x, top, x, bottom]);
        let anchor = if at == 0 {
            Anchor::Start
        } else {
            Anchor::Middle
        };
        svg.text("tick", anchor, x, bottom + 16.0, moment(at, step));
        at += step;
    }
}

fn moment(at: u64, step: u64) -> String {
    let seconds = at as f64 / 1e6;
    match step {
        ..1_000_000 => format!("{seconds:.1} s"),
        1_000_000..60_000_000 => format!("{seconds:.0} s"),
        60_000_000..3_600_000_000 => format!("{:.0} min", seconds / 60.0),
        _ => format!("{:.0} h", seconds / 3_600.0),
    }
}
