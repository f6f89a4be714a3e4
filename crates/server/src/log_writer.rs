//! Writes the log beside the requests: lines are gathered, and a thread of its own writes many at once.
//!
//! A write costs a tenth of a bare request (0.6 µs to a file, more to a slow pipe), so no request makes one. A line is
//! written [`PAUSE`] after it was logged at the latest, and before the program ends in order. Whoever logs faster than
//! can be written waits: no line is dropped. Only who kills the program may take the last moment's lines with it; what
//! must not be lost is in the audit.

use std::io::{self, Write};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use tracing_subscriber::fmt::MakeWriter;

/// How long lines are gathered.
const PAUSE: Duration = Duration::from_millis(10);

/// How many bytes may wait.
const WAITING_MAX: usize = 1024 * 1024;

/// Where lines go. Clones share it.
#[derive(Clone)]
pub(crate) struct LogWriter(Arc<Shared>);

/// Writes what waits when it is dropped. Lines that come after that are written at once.
#[must_use]
pub(crate) struct Flush {
    shared: Arc<Shared>,
    thread: Option<JoinHandle<()>>,
}

struct Shared {
    state: Mutex<State>,
    filled: Condvar,
    emptied: Condvar,
    output: Mutex<Box<dyn Write + Send>>,
}

#[derive(Default)]
struct State {
    lines: Vec<u8>,
    closed: bool,
}

impl LogWriter {
    /// Writes to `output`, for as long as the [`Flush`] is kept.
    pub(crate) fn start(output: impl Write + Send + 'static) -> io::Result<(Self, Flush)> {
        let shared = Arc::new(Shared {
            state: Mutex::default(),
            filled: Condvar::new(),
            emptied: Condvar::new(),
            output: Mutex::new(Box::new(output)),
        });
        let writing = Arc::clone(&shared);
        let thread = thread::Builder::new().name("countersign-log".to_owned());
        let thread = thread.spawn(move || writing.run())?;
        Ok((Self(Arc::clone(&shared)), Flush { shared, thread: Some(thread) }))
    }
}

impl Shared {
    /// The thread's life.
    fn run(&self) {
        let mut lines = Vec::new();
        while self.wait_for_lines() {
            thread::sleep(PAUSE);
            std::mem::swap(&mut self.state().lines, &mut lines);
            self.emptied.notify_all();
            self.write_out(&lines);
            lines.clear();
        }
    }

    /// Waits until there is something to write; not after the end.
    fn wait_for_lines(&self) -> bool {
        let mut state = self.state();
        while state.lines.is_empty() && !state.closed {
            state = self.filled.wait(state).unwrap_or_else(PoisonError::into_inner);
        }
        !state.lines.is_empty()
    }

    fn push(&self, line: &[u8]) {
        let mut state = self.state();
        while state.lines.len() > WAITING_MAX && !state.closed {
            state = self.emptied.wait(state).unwrap_or_else(PoisonError::into_inner);
        }
        if state.closed {
            drop(state);
            return self.write_out(line);
        }
        let was_empty = state.lines.is_empty();
        state.lines.extend_from_slice(line);
        drop(state);
        if was_empty {
            self.filled.notify_one();
        }
    }

    /// Where the log can't be written, there is nowhere to say so.
    fn write_out(&self, lines: &[u8]) {
        let mut output = self.output.lock().unwrap_or_else(PoisonError::into_inner);
        let _ = output.write_all(lines).and_then(|()| output.flush());
    }

    fn close(&self) {
        self.state().closed = true;
        self.filled.notify_all();
        self.emptied.notify_all();
    }

    /// Every change above is one step, so a thread that panicked has left a whole state.
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Flush {
    fn drop(&mut self) {
        self.shared.close();
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

/// One event: tracing-subscriber writes each in one piece.
pub(crate) struct Line<'a>(&'a Shared);

impl<'a> MakeWriter<'a> for LogWriter {
    type Writer = Line<'a>;

    fn make_writer(&'a self) -> Line<'a> {
        Line(&self.0)
    }
}

impl Write for Line<'_> {
    fn write(&mut self, line: &[u8]) -> io::Result<usize> {
        self.0.push(line);
        Ok(line.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// An output that is slow, as a full pipe is, and counts its writes.
    #[derive(Clone, Default)]
    struct Slow(Arc<Mutex<(Vec<u8>, usize)>>);

    impl Write for Slow {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            let some = bytes.len().min(100_000);
            let mut written = self.0.lock().unwrap();
            written.0.extend(&bytes[..some]);
            written.1 += 1;
            Ok(some)
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    fn log(writer: &LogWriter, thread: usize, number: usize) {
        let line = format!("{thread} {number} {:50}\n", "");
        writer.make_writer().write_all(line.as_bytes()).unwrap();
    }

    fn numbers(text: &str, thread: usize) -> Vec<usize> {
        let lines = text.lines().map(|line| line.split_whitespace().map(|word| word.parse().unwrap()));
        let lines = lines.map(|mut words| (words.next().unwrap(), words.next().unwrap()));
        lines.filter(|(by, _)| *by == thread).map(|(_, number)| number).collect()
    }

    #[test]
    fn no_line_is_lost_or_torn_or_out_of_order_however_many_there_are() {
        const LINES: usize = 30_000;
        let output = Slow::default();
        let (writer, flush) = LogWriter::start(output.clone()).unwrap();
        thread::scope(|scope| {
            for thread in 0..2 {
                let writer = &writer;
                scope.spawn(move || (0..LINES).for_each(|number| log(writer, thread, number)));
            }
        });
        drop(flush);
        let written = output.0.lock().unwrap();
        let text = String::from_utf8(written.0.clone()).unwrap();
        for thread in 0..2 {
            assert_eq!(numbers(&text, thread), (0..LINES).collect::<Vec<_>>());
        }
        assert!(written.1 < LINES / 10, "{} writes", written.1);
    }

    #[test]
    fn lines_after_the_end_are_written_at_once() {
        let output = Slow::default();
        let (writer, flush) = LogWriter::start(output.clone()).unwrap();
        log(&writer, 0, 1);
        drop(flush);
        log(&writer, 0, 2);
        let text = String::from_utf8(output.0.lock().unwrap().0.clone()).unwrap();
        assert_eq!(numbers(&text, 0), [1, 2]);
    }
}
