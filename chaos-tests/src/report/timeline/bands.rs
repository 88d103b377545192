//! Faults as bands behind everything else, with what they are above.

use super::Axis;
use crate::history::{Fault, History};
use crate::report::svg::{Anchor, Svg};
use crate::report::words;

/// How high a row of labels is.
const ROW: f64 = 22.0;
/// Rows at most; what finds no room in them is told when its band is pointed at.
const ROWS: usize = 6;
/// What a letter takes.
const LETTER: f64 = 6.6;

/// A label: which fault, in which row, from where to where.
pub(super) struct Label {
    fault: usize,
    row: usize,
    from: f64,
    to: f64,
    text: String,
}

/// Puts the labels into rows in which none covers another.
pub(super) fn rows(history: &History, axis: &Axis) -> Vec<Label> {
    let short = history.faults.len() > ROWS;
    let mut ends: Vec<f64> = Vec::new();
    let mut labels = Vec::new();
    for (number, fault) in history.faults.iter().enumerate() {
        let text = shown(fault, short, axis);
        let width = text.chars().count() as f64 * LETTER + 14.0;
        let from = axis.x(fault.began).min(axis.right - width).max(axis.left);
        let free = ends.iter().position(|end| *end + 4.0 <= from);
        let row = match free {
            Some(row) => row,
            None if ends.len() < ROWS => {
                ends.push(0.0);
                ends.len() - 1
            }
            None => continue,
        };
        ends[row] = from + width;
        labels.push(Label {
            fault: number,
            row,
            from,
            to: from + width,
            text,
        });
    }
    labels
}

pub(super) fn height(labels: &[Label]) -> f64 {
    let rows = labels.iter().map(|label| label.row + 1).max();
    rows.unwrap_or_default() as f64 * ROW
}

/// The bands, from the labels down to the axis, and when all was healed.
pub(super) fn draw(svg: &mut Svg, history: &History, axis: &Axis, top: f64, bottom: f64) {
    for fault in &history.faults {
        let (from, to) = (axis.x(fault.began), axis.x(end(fault)));
        let what = told(fault);
        svg.rect(
            "band",
            [from, top, (to - from).max(1.5), bottom - top],
            &what,
        );
        svg.line("edge", [from, top - 4.0, from, bottom]);
    }
    for healed in &history.healed {
        let x = axis.x(healed.at);
        svg.line("healed", [x, top, x, bottom]);
        let (anchor, by) = if x > axis.right - 60.0 {
            (Anchor::End, -4.0)
        } else {
            (Anchor::Start, 4.0)
        };
        svg.text("healed", anchor, x + by, top + 12.0, "healed");
    }
}

pub(super) fn label(svg: &mut Svg, history: &History, axis: &Axis, labels: &[Label]) {
    let bottom = height(labels);
    for label in labels {
        let fault = &history.faults[label.fault];
        let y = label.row as f64 * ROW;
        let x = axis.x(fault.began);
        svg.line("edge", [x, y + ROW - 4.0, x, bottom + 26.0]);
        svg.rect(
            "chip",
            [label.from, y, label.to - label.from, ROW - 4.0],
            &told(fault),
        );
        svg.text(
            "chip",
            Anchor::Start,
            label.from + 7.0,
            y + 13.0,
            &label.text,
        );
    }
}

fn shown(fault: &Fault, short: bool, axis: &Axis) -> String {
    let room = ((axis.right - axis.left) / LETTER) as usize;
    let text = match (short, fault.class.is_empty()) {
        (true, false) => &fault.class,
        _ => &fault.what,
    };
    let most = room.min(if short { 18 } else { 60 });
    if text.chars().count() <= most {
        return text.clone();
    }
    let cut: String = text.chars().take(most.saturating_sub(1)).collect();
    format!("{cut}…")
}

fn told(fault: &Fault) -> String {
    let lasted = end(fault).saturating_sub(fault.began);
    let lasted = if lasted > 1 << 60 {
        "until the end".to_owned()
    } else {
        words::time(lasted as f64 / 1e3)
    };
    let evidence = fault.evidence.as_deref().unwrap_or("not seen in effect");
    format!("{} ({lasted}): {evidence}", fault.what)
}

fn end(fault: &Fault) -> u64 {
    fault.healed.or(fault.ended).unwrap_or(u64::MAX)
}
