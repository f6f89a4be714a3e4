//! The log for machines: one JSON object a line.
//!
//! `{"timestamp":…,"level":…,` the event's own fields `,"target":…}`, and where the line belongs to a request that is
//! being answered, `"span":{"id":…,"name":"request"}` at the end.
//!
//! It is a subscriber of its own, since the one of tracing-subscriber that writes the same takes 16,000 instructions a
//! line, and 6,000 more a request for keeping its span. This one keeps no spans: the only one there is says what
//! [`request_id`] says.

use std::cell::Cell;
use std::fmt::{self, Write as _};
use std::io::Write as _;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use countersign::core::Timestamp;
use countersign::http::request_id;
use tracing::field::{Field, Visit};
use tracing::level_filters::LevelFilter;
use tracing::span::{Attributes, Id, Record};
use tracing::subscriber::Interest;
use tracing::{Event, Metadata, Subscriber};
use tracing_subscriber::filter::Targets;
use tracing_subscriber::fmt::MakeWriter;
use tracing_subscriber::{Layer, Registry};

use crate::text::is_harmful;

/// The most memory that a thread keeps for its next line, in bytes.
const KEPT_MAX: usize = 16 * 1024;

thread_local! {
    /// Memory for the next line.
    static LINE: Cell<Vec<u8>> = const { Cell::new(Vec::new()) };
    /// A second of the present as it is written, since many lines are of the same.
    static SECOND: Cell<(u64, [u8; SECOND_LEN])> = const { Cell::new((u64::MAX, [0; SECOND_LEN])) };
}

/// The length of `2026-11-24T05:37:09`.
const SECOND_LEN: usize = 19;

/// Writes what the filter lets through, each line in one piece.
pub(super) struct JsonLog<W> {
    filter: Targets,
    writer: W,
}

impl<W> JsonLog<W>
where
    W: for<'writer> MakeWriter<'writer> + Send + Sync + 'static,
{
    pub(super) const fn new(filter: Targets, writer: W) -> Self {
        Self { filter, writer }
    }
}

impl<W> Subscriber for JsonLog<W>
where
    W: for<'writer> MakeWriter<'writer> + Send + Sync + 'static,
{
    fn register_callsite(&self, metadata: &'static Metadata<'static>) -> Interest {
        if self.enabled(metadata) { Interest::always() } else { Interest::never() }
    }

    fn enabled(&self, metadata: &Metadata<'_>) -> bool {
        metadata.is_event() && self.filter.would_enable(metadata.target(), metadata.level())
    }

    fn max_level_hint(&self) -> Option<LevelFilter> {
        Layer::<Registry>::max_level_hint(&self.filter)
    }

    fn event(&self, event: &Event<'_>) {
        // Taken, since what is logged may log something itself.
        let mut line = LINE.try_with(Cell::take).unwrap_or_default();
        line.clear();
        write_event(&mut line, event, now());
        // Where the log can't be written, there is nowhere to say so.
        let _ = self.writer.make_writer_for(event.metadata()).write_all(&line);
        if line.capacity() <= KEPT_MAX {
            let _ = LINE.try_with(|kept| kept.set(line));
        }
    }

    // No span is ever enabled.
    fn new_span(&self, _: &Attributes<'_>) -> Id {
        Id::from_u64(1)
    }
    fn record(&self, _: &Id, _: &Record<'_>) {}
    fn record_follows_from(&self, _: &Id, _: &Id) {}
    fn enter(&self, _: &Id) {}
    fn exit(&self, _: &Id) {}
}

/// How long after 1970 it is.
fn now() -> Duration {
    #[expect(
        clippy::disallowed_methods,
        reason = "lines of the log have the machine's time, whatever clock counts"
    )]
    let now = SystemTime::now();
    now.duration_since(UNIX_EPOCH).unwrap_or_default()
}

fn write_event(line: &mut Vec<u8>, event: &Event<'_>, now: Duration) {
    line.extend_from_slice(b"{\"timestamp\":\"");
    write_time(line, now);
    line.extend_from_slice(b"\",\"level\":\"");
    line.extend_from_slice(event.metadata().level().as_str().as_bytes());
    line.push(b'"');
    let mut fields = Fields { line, logged_by: None };
    event.record(&mut fields);
    let logged_by = fields.logged_by;
    write_name(line, "target");
    write_text(line, logged_by.as_deref().unwrap_or(event.metadata().target()));
    if let Some(id) = request_id() {
        line.extend_from_slice(b",\"span\":{\"id\":");
        write_text(line, id.as_str());
        line.extend_from_slice(b",\"name\":\"request\"}");
    }
    line.extend_from_slice(b"}\n");
}

/// RFC 3339 in UTC with microseconds.
fn write_time(line: &mut Vec<u8>, now: Duration) {
    let (mut second, mut text) = SECOND.get();
    if second != now.as_secs() {
        second = now.as_secs();
        let written = Timestamp::from_secs(second.try_into().unwrap_or(i64::MAX)).to_string();
        text = written.as_bytes().first_chunk().copied().unwrap_or([b'0'; SECOND_LEN]);
        SECOND.set((second, text));
    }
    line.extend_from_slice(&text);
    write(line, format_args!(".{:06}Z", now.subsec_micros()));
}

/// An event's own fields, each after a comma.
struct Fields<'a> {
    line: &'a mut Vec<u8>,
    /// The module of what came through the `log` crate.
    logged_by: Option<String>,
}

impl Fields<'_> {
    fn write(&mut self, field: &Field, value: fmt::Arguments<'_>) {
        write_name(self.line, field.name());
        write(self.line, value);
    }
}

impl Visit for Fields<'_> {
    fn record_str(&mut self, field: &Field, value: &str) {
        match field.name() {
            "log.target" => self.logged_by = Some(value.to_owned()),
            // Where in a dependency's source; `tracing`'s own events don't say that either.
            "log.module_path" | "log.file" => {}
            name => {
                write_name(self.line, name);
                write_text(self.line, value);
            }
        }
    }

    fn record_u64(&mut self, field: &Field, value: u64) {
        if field.name() != "log.line" {
            self.write(field, format_args!("{value}"));
        }
    }

    fn record_i64(&mut self, field: &Field, value: i64) {
        self.write(field, format_args!("{value}"));
    }

    fn record_bool(&mut self, field: &Field, value: bool) {
        self.write(field, format_args!("{value}"));
    }

    fn record_f64(&mut self, field: &Field, value: f64) {
        if value.is_finite() {
            self.write(field, format_args!("{value:?}"));
        } else {
            self.write(field, format_args!("null"));
        }
    }

    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        write_name(self.line, field.name());
        self.line.push(b'"');
        // A value that can't be written is written as far as it goes.
        let _ = write!(Escaped(self.line), "{value:?}");
        self.line.push(b'"');
    }
}

/// Text of which every piece is escaped.
struct Escaped<'a>(&'a mut Vec<u8>);

impl fmt::Write for Escaped<'_> {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        escape(self.0, text);
        Ok(())
    }
}

fn write_name(line: &mut Vec<u8>, name: &str) {
    line.push(b',');
    write_text(line, name);
    line.push(b':');
}

fn write_text(line: &mut Vec<u8>, text: &str) {
    line.push(b'"');
    escape(line, text);
    line.push(b'"');
}

/// Writing to a `Vec` can't fail.
fn write(line: &mut Vec<u8>, value: fmt::Arguments<'_>) {
    let _ = line.write_fmt(value);
}

/// Text within a string of JSON. What could fool whoever looks at the line on a terminal is escaped too; in JSON that
/// means the same.
fn escape(line: &mut Vec<u8>, text: &str) {
    let is_plain = |byte: u8| matches!(byte, b' '..=b'~') && byte != b'"' && byte != b'\\';
    // Most texts are, and this is many times as fast as what follows.
    if text.bytes().all(is_plain) {
        return line.extend_from_slice(text.as_bytes());
    }
    for c in text.chars() {
        match c {
            '"' => line.extend_from_slice(b"\\\""),
            '\\' => line.extend_from_slice(b"\\\\"),
            '\n' => line.extend_from_slice(b"\\n"),
            '\r' => line.extend_from_slice(b"\\r"),
            '\t' => line.extend_from_slice(b"\\t"),
            // All of them are below U+10000, so that one escape is enough.
            c if is_harmful(c) => write(line, format_args!("\\u{:04x}", u32::from(c))),
            c => line.extend_from_slice(c.encode_utf8(&mut [0; 4]).as_bytes()),
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::{Value, json};
    use tracing::{error, info, info_span};

    use super::*;
    use crate::telemetry::testing::Written;

    fn log(work: impl FnOnce()) -> String {
        let written = Written::default();
        let writer = written.clone();
        let filter = Targets::new().with_default(LevelFilter::INFO);
        tracing::subscriber::with_default(JsonLog::new(filter, move || writer.clone()), work);
        written.text()
    }

    fn record(work: impl FnOnce()) -> Value {
        let text = log(work);
        let line = text.strip_suffix('\n').unwrap();
        assert!(!line.chars().any(is_harmful), "{line:?}");
        serde_json::from_str(line).unwrap()
    }

    #[test]
    fn a_line_has_its_time_its_level_its_fields_and_where_it_comes_from() {
        let mut record = record(|| {
            info!(target: "here", text = "a", count = 7_u16, less = -7, share = 0.5, whole = 2.0, none = f64::NAN, is = true,
                  absent = Option::<&str>::None, shown = ?Some("b"), "answered {}", 1);
        });
        let time = record.as_object_mut().unwrap().remove("timestamp").unwrap();
        assert_eq!(
            record,
            json!({"level": "INFO", "text": "a", "count": 7, "less": -7, "share": 0.5, "whole": 2.0, "none": null, "is": true,
                   "shown": "Some(\"b\")", "message": "answered 1", "target": "here"})
        );
        assert_eq!(time.as_str().unwrap().len(), "2026-11-24T05:37:09.000007Z".len());
    }

    #[test]
    fn a_time_has_microseconds() {
        for (millis, micros, expected) in [
            (1_795_498_629_000, 7, "2026-11-24T05:37:09.000007Z"),
            (1_795_498_629_000, 999_999, "2026-11-24T05:37:09.999999Z"),
            (0, 0, "1970-01-01T00:00:00.000000Z"),
        ] {
            let mut line = Vec::new();
            write_time(&mut line, Duration::from_millis(millis) + Duration::from_micros(micros));
            assert_eq!(String::from_utf8(line).unwrap(), expected);
        }
    }

    #[test]
    fn what_the_filter_keeps_out_is_not_written_and_no_span_is_kept() {
        let text = log(|| {
            let span = info_span!("request");
            assert!(span.is_disabled());
            tracing::debug!("too quiet");
            error!("loud");
        });
        assert_eq!(text.lines().count(), 1, "{text}");
        assert!(text.contains("loud"));
    }

    #[test]
    fn a_value_that_logs_while_it_is_written_gets_a_line_of_its_own() {
        struct Chatty;
        impl fmt::Debug for Chatty {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                info!("within");
                f.write_str("chatty")
            }
        }
        let text = log(|| info!(value = ?Chatty, "around"));
        for line in text.lines() {
            serde_json::from_str::<Value>(line).unwrap();
        }
        assert!(text.contains("around") && text.contains("chatty"), "{text}");
    }

    proptest! {
        // attack 117
        #[test]
        fn any_text_comes_back_from_its_line(text in "\\PC*|[\\x00-\\x20\"\\\\\u{7f}-\u{a0}\u{2020}-\u{2030}a]{0,20}") {
            let record = record(|| info!(text, shown = %text, debug = ?text));
            prop_assert_eq!(&record["text"], &text);
            prop_assert_eq!(&record["shown"], &text);
            prop_assert_eq!(&record["debug"], &format!("{text:?}"));
        }
    }
}
