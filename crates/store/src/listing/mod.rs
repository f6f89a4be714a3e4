//! The statements that list, the same text for both engines.
//!
//! They are put together, with only the conditions that are asked for: with one that may be empty, no index would be
//! used. A page goes by a key (what the last row of the page before is sorted by), never by a number of rows to skip.

pub(crate) mod audit;
pub(crate) mod sessions;
pub(crate) mod users;

use countersign_core::SessionId;

/// A value in a statement.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) enum Arg {
    Int(i64),
    Text(String),
    Session(SessionId),
}

/// A statement that is put together, and its values in the order of `$1`, `$2`, ….
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub(crate) struct Statement {
    pub(crate) text: String,
    pub(crate) args: Vec<Arg>,
}

impl Statement {
    pub(crate) fn push(&mut self, text: &str) {
        self.text.push_str(text);
    }

    pub(crate) fn bind(&mut self, arg: Arg) {
        self.args.push(arg);
        self.text.push('$');
        self.text.push_str(&self.args.len().to_string());
    }

    /// Adds a condition on this value, which follows it.
    pub(crate) fn and(&mut self, condition: &str, arg: Arg) {
        self.push(&format!(" AND {condition} "));
        self.bind(arg);
    }

    /// Takes another statement in, with its values renumbered.
    fn append(&mut self, other: &Self) {
        let mut parts = other.text.split('$');
        self.push(parts.next().unwrap_or_default());
        for part in parts {
            let digits = part.bytes().take_while(u8::is_ascii_digit).count();
            let (number, rest) = part.split_at(digits);
            let arg = number.parse::<usize>().ok().and_then(|number| other.args.get(number.wrapping_sub(1)));
            if let Some(arg) = arg {
                self.bind(arg.clone());
            }
            self.push(rest);
        }
    }
}

/// How many rows to ask for to have a page of so many and know whether there is another.
pub(crate) fn one_more(limit: u32) -> i64 {
    i64::from(limit) + 1
}

/// The first rows of what was asked for with [`one_more`], and whether there are more.
pub(crate) fn cut<T>(rows: &mut Vec<T>, limit: u32) -> bool {
    let limit = usize::try_from(limit).unwrap_or(usize::MAX);
    let more = rows.len() > limit;
    rows.truncate(limit);
    more
}
