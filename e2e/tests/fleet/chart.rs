//! The figures as a chart: each as a share of its target, so that all stand on one axis.

use crate::report::{Figure, Report, Target};

const WIDTH: f64 = 860.0;
/// Where the bars begin, where they meet their targets, and where they are cut off.
const LEFT: f64 = 300.0;
const AT_TARGET: f64 = 500.0;
const RIGHT: f64 = 740.0;
const TOP: f64 = 58.0;
const ROW: f64 = 24.0;
const BAR: f64 = 14.0;
/// Readable on white and on black.
const MET: &str = "#2e8b57";
const MISSED: &str = "#c8553d";
const TEXT: &str = "#7a7f87";

/// The report as SVG.
pub fn svg(report: &Report) -> String {
    let figures = report.figures();
    let rows: String = figures.iter().enumerate().map(|(index, figure)| row(index, figure)).collect();
    let bottom = TOP + ROW * crate::clock::number(figures.len());
    let height = bottom + 16.0;
    let line = format!(
        "<line x1=\"{AT_TARGET}\" y1=\"{}\" x2=\"{AT_TARGET}\" y2=\"{bottom}\" stroke=\"{TEXT}\" stroke-dasharray=\"4 3\"/>\n",
        TOP - 8.0
    );
    let title = text(16.0, 22.0, "start", 15, &format!("Figures as a share of their targets: {}", report.heading()));
    let legend = text(AT_TARGET, TOP - 14.0, "middle", 12, "target");
    format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {WIDTH} {height}\" role=\"img\" \
         font-family=\"sans-serif\">\n{title}{legend}{rows}{line}</svg>\n"
    )
}

fn row(index: usize, figure: &Figure) -> String {
    let middle = TOP + ROW * crate::clock::number(index) + ROW / 2.0;
    let name = text(LEFT - 10.0, middle + 4.0, "end", 12, figure.key.name);
    let (length, colour) = match (share(figure), figure.met()) {
        (Some(share), Some(met)) => {
            // A figure of nothing is still to be seen.
            let length = ((AT_TARGET - LEFT) * share).clamp(2.0, RIGHT - LEFT);
            (length, if met { MET } else { MISSED })
        }
        _ => (0.0, TEXT),
    };
    let bar = format!(
        "<rect x=\"{LEFT}\" y=\"{:.1}\" width=\"{length:.1}\" height=\"{BAR}\" rx=\"2\" fill=\"{colour}\"/>\n",
        middle - BAR / 2.0
    );
    let more = if length >= RIGHT - LEFT { " →" } else { "" };
    let shown = format!("{}{more}", figure.shown());
    name + &bar + &text(LEFT + length + 8.0, middle + 4.0, "start", 12, &shown)
}

/// How much of the target a figure is: at most 1 when it is reached, whichever way round it is.
fn share(figure: &Figure) -> Option<f64> {
    let value = *figure.value.as_ref().ok()?;
    Some(match figure.key.target {
        Target::AtMost(0.0) => {
            if value <= 0.0 {
                0.0
            } else {
                f64::INFINITY
            }
        }
        Target::AtMost(most) => value / most,
        Target::AtLeast(least) => least / value.max(0.001),
    })
}

fn text(x: f64, y: f64, anchor: &str, size: u8, words: &str) -> String {
    let words = words.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;");
    format!(
        "<text x=\"{x:.1}\" y=\"{y:.1}\" text-anchor=\"{anchor}\" font-size=\"{size}\" fill=\"{TEXT}\">{words}</text>\n"
    )
}
