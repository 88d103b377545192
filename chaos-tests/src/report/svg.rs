//! As much of SVG as the page needs. Colours are classes, so that light and dark are the page's.

use super::escape;
use std::fmt::{Display, Write};

/// A drawing.
pub(super) struct Svg {
    width: f64,
    body: String,
}

/// Where a text stands to its point.
#[derive(Clone, Copy)]
pub(super) enum Anchor {
    Start,
    Middle,
    End,
}

impl Svg {
    pub(super) fn new(width: f64) -> Svg {
        let body = String::new();
        Svg { width, body }
    }

    fn add(&mut self, piece: std::fmt::Arguments<'_>) {
        // Writing into a String cannot fail.
        let _ = self.body.write_fmt(piece);
    }

    /// A rectangle; `title` is told when it is pointed at.
    pub(super) fn rect(&mut self, class: &str, [x, y, w, h]: [f64; 4], title: &str) {
        let w = w.max(0.0);
        self.add(format_args!(
            "<rect class=\"{class}\" x=\"{x:.1}\" y=\"{y:.1}\" width=\"{w:.1}\" height=\"{h:.1}\" rx=\"2\">"
        ));
        if !title.is_empty() {
            self.add(format_args!("<title>{}</title>", escape(title)));
        }
        self.add(format_args!("</rect>"));
    }

    pub(super) fn line(&mut self, class: &str, [x1, y1, x2, y2]: [f64; 4]) {
        self.add(format_args!(
            "<line class=\"{class}\" x1=\"{x1:.1}\" y1=\"{y1:.1}\" x2=\"{x2:.1}\" y2=\"{y2:.1}\"/>"
        ));
    }

    pub(super) fn text(&mut self, class: &str, anchor: Anchor, x: f64, y: f64, text: impl Display) {
        let anchor = match anchor {
            Anchor::Start => "start",
            Anchor::Middle => "middle",
            Anchor::End => "end",
        };
        let text = escape(&text.to_string());
        self.add(format_args!(
            "<text class=\"{class}\" text-anchor=\"{anchor}\" x=\"{x:.1}\" y=\"{y:.1}\">{text}</text>"
        ));
    }

    /// A line through points, broken where one is missing; a lonely point is a dot.
    pub(super) fn curve(&mut self, class: &str, points: &[Option<(f64, f64)>]) {
        for run in points.split(Option::is_none) {
            let run: Vec<(f64, f64)> = run.iter().copied().flatten().collect();
            if let [(x, y)] = run[..] {
                self.add(format_args!(
                    "<circle class=\"{class} dot\" cx=\"{x:.1}\" cy=\"{y:.1}\" r=\"1.6\"/>"
                ));
            } else if !run.is_empty() {
                self.path(class, &run, "");
            }
        }
    }

    /// The area between points, from left to right, and a floor.
    pub(super) fn area(&mut self, class: &str, points: &[(f64, f64)], floor: f64) {
        if let (Some(first), Some(last)) = (points.first(), points.last()) {
            let close = format!("L{:.1} {floor:.1}L{:.1} {floor:.1}Z", last.0, first.0);
            self.path(class, points, &close);
        }
    }

    fn path(&mut self, class: &str, points: &[(f64, f64)], close: &str) {
        self.add(format_args!("<path class=\"{class}\" d=\""));
        for (at, (x, y)) in points.iter().enumerate() {
            let verb = if at == 0 { 'M' } else { 'L' };
            self.add(format_args!("{verb}{x:.1} {y:.1}"));
        }
        self.add(format_args!("{close}\"/>"));
    }

    /// The drawing, as high as it became; `says` is what it shows, for those who do not see it.
    pub(super) fn finish(self, class: &str, height: f64, says: &str) -> String {
        let Svg { width, body } = self;
        format!(
            "<svg class=\"{class}\" viewBox=\"0 0 {width:.0} {height:.0}\" role=\"img\" aria-label=\"{}\">{body}</svg>",
            escape(says)
        )
    }
}
