//! Charts as SVG, readable on a light and on a dark page.

use std::fmt::Write;

/// A bar, by its label and value.
pub(crate) struct Bar {
    pub(crate) label: String,
    pub(crate) value: f64,
    pub(crate) kind: Kind,
}

/// Who a bar belongs to.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    Ours,
    Floor,
    Peer,
}

/// Some bars that are compared with one another.
pub(crate) struct Group {
    pub(crate) title: String,
    pub(crate) bars: Vec<Bar>,
}

const WIDTH: f64 = 880.0;
const LABELS: f64 = 400.0;
const NUMBERS: f64 = 90.0;
const LINE: f64 = 22.0;
const HEAD: f64 = 34.0;

const STYLE: &str = "\
text { font: 13px system-ui, sans-serif; fill: #1f2328 }
.title { font-weight: 600; font-size: 15px }
.ours { fill: #0969da } .floor { fill: #8c959f } .peer { fill: #bf8700 }
@media (prefers-color-scheme: dark) {
text { fill: #e6edf3 } .ours { fill: #4493f8 } .floor { fill: #656c76 } .peer { fill: #d29922 }
}";

/// Bars from left to right, each group on a scale of its own.
pub(crate) fn bars(groups: &[Group]) -> String {
    let mut body = String::new();
    let mut y = 0.0;
    for group in groups.iter().filter(|group| !group.bars.is_empty()) {
        y += HEAD;
        let _ = writeln!(
            body,
            r#"<text class="title" x="0" y="{:.0}">{}</text>"#,
            y - 10.0,
            escaped(&group.title)
        );
        let most = group.bars.iter().map(|bar| bar.value).fold(f64::MIN_POSITIVE, f64::max);
        for bar in &group.bars {
            let width = (bar.value / most * (WIDTH - LABELS - NUMBERS)).max(1.0);
            let class = match bar.kind {
                Kind::Ours => "ours",
                Kind::Floor => "floor",
                Kind::Peer => "peer",
            };
            let _ = writeln!(
                body,
                r#"<text x="0" y="{text:.0}">{label}</text><rect class="{class}" x="{LABELS}" y="{y:.0}" width="{width:.1}" height="14" rx="2"/><text x="{end:.1}" y="{text:.0}">{value}</text>"#,
                text = y + 12.0,
                label = escaped(&bar.label),
                end = LABELS + width + 6.0,
                value = number(bar.value),
            );
            y += LINE;
        }
        y += 8.0;
    }
    format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {WIDTH} {y:.0}\" role=\"img\" aria-label=\"{}\">\n\
         <style>\n{STYLE}\n</style>\n{body}</svg>\n",
        escaped(&groups.iter().map(|group| &*group.title).collect::<Vec<_>>().join("; "))
    )
}

/// A number as a person writes it: `12,345`, `96`, `4.1`.
pub(crate) fn number(value: f64) -> String {
    if value < 10.0 {
        return format!("{value:.1}");
    }
    let digits = format!("{value:.0}");
    let mut text = String::new();
    for (place, digit) in digits.chars().enumerate() {
        if place > 0 && (digits.len() - place).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('"', "&quot;")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_written_as_people_do() {
        assert_eq!(
            [1.25, 12.0, 999.6, 12_345.0, 1_234_567.0].map(number),
            ["1.2", "12", "1,000", "12,345", "1,234,567"]
        );
    }

    #[test]
    fn the_longest_bar_is_the_largest_value() {
        let bar = |value| Bar { label: "<a>".into(), value, kind: Kind::Ours };
        let svg = bars(&[Group { title: "loads".into(), bars: vec![bar(100.0), bar(50.0)] }]);
        assert!(svg.contains("width=\"390.0\"") && svg.contains("width=\"195.0\""), "{svg}");
        assert!(svg.contains("&lt;a>"));
    }
}
