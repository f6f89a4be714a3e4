//! The log: lines for a person, or one JSON object a line, on standard error.
//!
//! What a stranger wrote may stand in a log line. It can't break the line, nor move a terminal's cursor: whatever could
//! is written as an escape, in both formats (attack 117). tracing-subscriber escapes some of it by itself, but leaves
//! line feeds in what is logged by `Display`.

mod json;

use std::any::Any;
use std::fmt;
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
use crate::text::escape;

use json::JsonLog;

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
    let filter = log.filter.clone();
    // It fails where a log is written already, which is as good.
    let _ = match log.format {
        LogFormat::Pretty => {
            Registry::default().with(pretty(is_terminal, writer).with_filter(filter)).try_init()
        }
        LogFormat::Json => JsonLog::new(filter, writer).try_init(),
    };
    std::panic::set_hook(Box::new(log_panic));
}

/// The log for people.
fn pretty<S, W>(is_terminal: bool, writer: W) -> impl Layer<S> + Send + Sync
where
    S: Subscriber + for<'span> LookupSpan<'span>,
    W: for<'writer> MakeWriter<'writer> + Send + Sync + 'static,
{
    tracing_subscriber::fmt::layer()
        .with_ansi(is_terminal)
        .with_target(false)
        .fmt_fields(escaped_fields())
        .with_writer(writer)
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
mod testing {
    use std::io;
    use std::sync::{Arc, Mutex};

    /// What was written.
    #[derive(Clone, Default)]
    pub(super) struct Written(Arc<Mutex<Vec<u8>>>);

    impl Written {
        pub(super) fn text(&self) -> String {
            String::from_utf8(self.0.lock().unwrap().clone()).unwrap()
        }
    }

    impl io::Write for Written {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.0.lock().unwrap().extend(bytes);
            Ok(bytes.len())
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }
}

#[cfg(test)]
mod tests {
    use tracing::level_filters::LevelFilter;
    use tracing::{info, info_span};
    use tracing_subscriber::filter::Targets;

    use super::testing::Written;
    use super::*;
    use crate::text::is_harmful;

    fn log(format: LogFormat, is_terminal: bool, work: impl FnOnce()) -> String {
        let written = Written::default();
        let writer = written.clone();
        let writer = move || writer.clone();
        match format {
            LogFormat::Pretty => {
                let subscriber = Registry::default().with(pretty(is_terminal, writer));
                tracing::subscriber::with_default(subscriber, work);
            }
            LogFormat::Json => {
                let filter = Targets::new().with_default(LevelFilter::INFO);
                tracing::subscriber::with_default(JsonLog::new(filter, writer), work);
            }
        }
        written.text()
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
        assert_eq!(record["text"], HARM);
    }

    // attack 117
    #[test]
    fn on_a_terminal_only_our_own_colours_are_escape_sequences() {
        let text = log(LogFormat::Pretty, true, || info!(name = %"\x1b[2J", "hello"));
        assert!(text.contains("\x1b[") && !text.contains("\x1b[2J"), "{text:?}");
        assert!(text.contains(r"name=\u{1b}[2J"), "{text:?}");
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
