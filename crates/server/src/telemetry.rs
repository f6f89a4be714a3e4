//! The log: lines for a person, or one JSON object a line, on standard error.
//!
//! What a stranger wrote may stand in a log line. It can't break the line, nor move a terminal's cursor: whatever could
//! is written as an escape, in both formats (attack 117). tracing-subscriber escapes some of it by itself, but leaves
//! line feeds in what is logged by `Display`.

use std::any::Any;
use std::fmt::{self, Write as _};
use std::io;
use std::panic::PanicHookInfo;

use tracing::field::Field;
use tracing::{Subscriber, error};
use tracing_subscriber::Layer;
use tracing_subscriber::fmt::MakeWriter;
use tracing_subscriber::fmt::format::{FormatFields, Writer, debug_fn};
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::registry::{LookupSpan, Registry};
use tracing_subscriber::util::SubscriberInitExt;

use crate::config::{Log, LogFormat};
use crate::log_writer::{Flush, LogWriter};
use crate::text::{escape, is_harmful};

/// Writes the log from now on, each line at once, and lets a panic be a line of it.
pub(crate) fn start(log: &Log, is_terminal: bool) {
    start_to(log, is_terminal, io::stderr);
}

/// The same for a server: unless a person watches, no request waits for its lines to be written ([`LogWriter`]). They
/// are, when what this returns is dropped.
pub(crate) fn start_beside_requests(log: &Log, is_terminal: bool) -> io::Result<Option<Flush>> {
    if is_terminal {
        start(log, is_terminal);
        return Ok(None);
    }
    let (writer, flush) = LogWriter::start(io::stderr())?;
    start_to(log, is_terminal, writer);
    Ok(Some(flush))
}

fn start_to<W>(log: &Log, is_terminal: bool, writer: W)
where
    W: for<'writer> MakeWriter<'writer> + Send + Sync + 'static,
{
    let layer = layer(log.format, is_terminal, writer).with_filter(log.filter.clone());
    // It fails where a log is written already, which is as good.
    let _ = Registry::default().with(layer).try_init();
    std::panic::set_hook(Box::new(log_panic));
}

fn layer<S, W>(format: LogFormat, is_terminal: bool, writer: W) -> Box<dyn Layer<S> + Send + Sync>
where
    S: Subscriber + for<'span> LookupSpan<'span>,
    W: for<'writer> MakeWriter<'writer> + Send + Sync + 'static,
{
    match format {
        LogFormat::Pretty => Box::new(
            tracing_subscriber::fmt::layer()
                .with_ansi(is_terminal)
                .with_target(false)
                .fmt_fields(escaped_fields())
                .with_writer(writer),
        ),
        LogFormat::Json => Box::new(
            tracing_subscriber::fmt::layer()
                .json()
                .flatten_event(true)
                .with_span_list(false)
                .with_writer(EscapingJson(writer)),
        ),
    }
}

/// `message name=value name=value`, with nothing harmful in it.
fn escaped_fields() -> impl for<'writer> FormatFields<'writer> + Send + Sync + 'static {
    use tracing_subscriber::field::MakeExt;
    debug_fn(|writer: &mut Writer<'_>, field: &Field, value: &dyn fmt::Debug| {
        let value = escape(&format!("{value:?}"));
        match field.name() {
            "message" => writer.write_str(&value),
            name => write!(writer, "{name}={value}"),
        }
    })
    .delimited(" ")
}

/// JSON escapes the oldest control characters by itself; this escapes the others. In JSON they stand only in strings,
/// where an escape means the same.
struct EscapingJson<W>(W);

impl<'writer, W: MakeWriter<'writer>> MakeWriter<'writer> for EscapingJson<W> {
    type Writer = EscapingLine<W::Writer>;

    fn make_writer(&'writer self) -> Self::Writer {
        EscapingLine(self.0.make_writer())
    }
}

struct EscapingLine<W>(W);

impl<W: io::Write> io::Write for EscapingLine<W> {
    fn write(&mut self, line: &[u8]) -> io::Result<usize> {
        // Most lines are, and this is many times as fast as what follows.
        if line.iter().all(|byte| matches!(byte, b' '..=b'~' | b'\n')) {
            self.0.write_all(line)?;
            return Ok(line.len());
        }
        let text = String::from_utf8_lossy(line);
        if !text.chars().any(|c| is_harmful(c) && c != '\n') {
            self.0.write_all(line)?;
            return Ok(line.len());
        }
        let mut escaped = String::with_capacity(line.len() + 16);
        for c in text.chars() {
            if is_harmful(c) && c != '\n' {
                // All of them are below U+10000, so that one escape is enough; writing to a String can't fail.
                let _ = write!(escaped, "\\u{:04x}", u32::from(c));
            } else {
                escaped.push(c);
            }
        }
        self.0.write_all(escaped.as_bytes())?;
        Ok(line.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        self.0.flush()
    }
}

/// A panic is a defect, and a line of the log. What was put together at run time isn't shown: a secret may be in it.
fn log_panic(panic: &PanicHookInfo<'_>) {
    let place = panic.location().map(ToString::to_string).unwrap_or_default();
    let thread = std::thread::current();
    error!(place, thread = thread.name(), "a thread panicked: {}", fixed_text(panic.payload()));
}

fn fixed_text(payload: &(dyn Any + Send)) -> &'static str {
    payload.downcast_ref::<&'static str>().copied().unwrap_or("(its message isn't shown)")
}

#[cfg(test)]
mod tests {
    use std::sync::{Arc, Mutex};

    use tracing::{info, info_span};

    use super::*;

    #[derive(Clone, Default)]
    struct Written(Arc<Mutex<Vec<u8>>>);

    impl io::Write for Written {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.0.lock().unwrap().extend(bytes);
            Ok(bytes.len())
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    fn log(format: LogFormat, is_terminal: bool, work: impl FnOnce()) -> String {
        let written = Written::default();
        let writer = written.clone();
        let subscriber = Registry::default().with(layer(format, is_terminal, move || writer.clone()));
        tracing::subscriber::with_default(subscriber, work);
        String::from_utf8(written.0.lock().unwrap().clone()).unwrap()
    }

    const HARM: &str = "ana\r\n2026 ERROR forged\x1b[31m\u{9b}31m\u{7f}\u{202e}\0\t\u{2028}end";

    fn hostile_events() {
        let span = info_span!("request", user = %HARM, agent = HARM);
        let _entered = span.enter();
        info!(display = %HARM, debug = ?HARM, text = HARM, "told: {HARM}");
    }

    // attack 117
    #[test]
    fn what_a_stranger_wrote_stays_in_one_line_for_people() {
        let text = log(LogFormat::Pretty, false, hostile_events);
        let line = text.strip_suffix('\n').unwrap();
        assert!(!line.chars().any(is_harmful), "{line:?}");
        assert_eq!(line.matches("end").count(), 6, "{line}");
    }

    // attack 117
    #[test]
    fn what_a_stranger_wrote_stays_in_one_line_of_json() {
        let text = log(LogFormat::Json, false, hostile_events);
        let line = text.strip_suffix('\n').unwrap();
        assert!(!line.chars().any(is_harmful), "{line:?}");
        let record: serde_json::Value = serde_json::from_str(line).unwrap();
        assert_eq!(record["message"], format!("told: {HARM}"));
        assert_eq!(record["display"], HARM);
        assert_eq!(record["span"]["user"], HARM);
    }

    // attack 117
    #[test]
    fn on_a_terminal_only_our_own_colours_are_escape_sequences() {
        let text = log(LogFormat::Pretty, true, || info!(name = %"\x1b[2J", "hello"));
        assert!(text.contains("\x1b[") && !text.contains("\x1b[2J"), "{text:?}");
        assert!(text.contains(r"name=\u{1b}[2J"), "{text:?}");
    }

    #[test]
    fn a_line_of_json_is_flat() {
        let text = log(LogFormat::Json, false, || info!(status = 200, "answered"));
        let record: serde_json::Value = serde_json::from_str(&text).unwrap();
        assert_eq!((&record["message"], &record["status"]), (&"answered".into(), &200.into()));
        assert_eq!(record["level"], "INFO");
    }

    // attack 116
    #[test]
    fn a_panics_message_is_shown_only_if_it_is_in_the_source() {
        let password = "hunter2".to_owned();
        let payload = std::panic::catch_unwind(|| panic!("it was {password}")).unwrap_err();
        assert_eq!(fixed_text(&*payload), "(its message isn't shown)");
        let payload = std::panic::catch_unwind(|| panic!("out of order")).unwrap_err();
        assert_eq!(fixed_text(&*payload), "out of order");
    }
}
