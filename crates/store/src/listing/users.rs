//! The statements that list users.
//!
//! A page must be quick at a million users, whatever is asked for. There is an index for each order, so a page without
//! filters is one short walk along one. With filters there are two ways:
//!
//! - **Few fit.** A filter that has an index of its own (a search, a group, a custom field, staff, superusers, those
//!   switched off) is asked how many it leaves, counting no further than [`UserFilter::SEARCHED`]. Where it is no more, those are
//!   looked up, filtered and sorted.
//! - **Many fit.** Then a walk along the order meets enough of them soon. It looks at a bounded stretch of users at a
//!   time, and the page ends where its stretches do: it may be short, and still has a next one.
//!
//! Among equals the order goes by `listed_id`, which is the id once more: SQLite finds no place in an index by its row id.
//!
//! A search always goes the first way. Where too many fit it, the rest is left out, and the page says so.

use countersign_core::UserId;
use countersign_core::name::NameKey;

use super::{Arg, Statement, cut, one_more};
use crate::{FieldFilter, FieldIs, User, UserCursor, UserFilter, UserSort};

/// How many users one stretch of a walk looks at.
const STRETCH: u32 = 5000;

/// How many stretches make a page, at most.
pub(crate) const STRETCHES: usize = 2;

/// The users that one of the filters leaves; the one with the fewest is to be found.
pub(crate) struct Candidates {
    /// Selects their ids, one more than are looked at.
    ids: Statement,
    /// Whether it is to be taken even where it leaves too many.
    pub(crate) is_search: bool,
}

/// A row of a list: a user, and the text of what they are sorted by.
pub(crate) type Sorted = (User, String);

/// What can narrow the list down, in the order in which it is to be tried.
pub(crate) fn candidates(filter: &UserFilter) -> Vec<Candidates> {
    let words = words(&filter.search);
    if let Some(word) = words.iter().max_by_key(|word| word.as_str().len()) {
        return vec![Candidates { ids: found_by(word), is_search: true }];
    }
    let by_index = |condition: &str| {
        let mut ids = Statement::default();
        ids.push(&format!("SELECT id FROM users WHERE {condition} ORDER BY id LIMIT "));
        ids.bind(Arg::Int(one_more(UserFilter::SEARCHED)));
        Candidates { ids, is_search: false }
    };
    let mut candidates = Vec::new();
    if filter.is_superuser == Some(true) {
        candidates.push(by_index("is_superuser"));
    }
    if filter.is_staff == Some(true) {
        candidates.push(by_index("is_staff"));
    }
    if let Some(group) = filter.group {
        let mut ids = Statement::default();
        ids.push("SELECT user_id AS id FROM user_groups WHERE group_id = ");
        ids.bind(Arg::Int(group.0));
        ids.push(" ORDER BY user_id LIMIT ");
        ids.bind(Arg::Int(one_more(UserFilter::SEARCHED)));
        candidates.push(Candidates { ids, is_search: false });
    }
    if filter.is_active == Some(false) {
        candidates.push(by_index("NOT is_active"));
    }
    for FieldFilter { field, is } in &filter.fields {
        if let FieldIs::Value(value) = is {
            let mut ids = Statement::default();
            ids.push("SELECT user_id AS id FROM field_values WHERE field = ");
            ids.bind(Arg::Text(field.clone()));
            ids.and("value =", Arg::Text(value.clone()));
            ids.push(" ORDER BY user_id LIMIT ");
            ids.bind(Arg::Int(one_more(UserFilter::SEARCHED)));
            candidates.push(Candidates { ids, is_search: false });
        }
    }
    candidates
}

impl Candidates {
    /// How many there are, counted just past what is looked at.
    pub(crate) fn count(&self) -> Statement {
        let mut count = Statement::default();
        count.push("SELECT count(*) FROM (");
        count.append(&self.ids);
        count.push(") AS candidates");
        count
    }

    /// Whether this count is all of them.
    pub(crate) fn is_whole(count: i64) -> bool {
        count <= i64::from(UserFilter::SEARCHED)
    }

    /// The page among them, and one row more if there is a next page. The statement selects these columns, and what
    /// the users are sorted by.
    pub(crate) fn page(&self, filter: &UserFilter, columns: &str) -> Statement {
        let order = Order::of(filter);
        let mut page = Statement::default();
        page.push(&format!("SELECT {columns}, {} FROM users WHERE id IN (", order.as_text()));
        page.append(&self.ids);
        page.push(")");
        page.and_fits(filter);
        page.and_after(&order, filter.after.as_ref());
        page.ordered(&order, one_more(filter.limit));
        page
    }
}

/// Whether a filter leaves out anybody.
pub(crate) fn is_filtered(filter: &UserFilter) -> bool {
    let UserFilter { search: _, is_active, is_staff, is_superuser, group, fields, .. } = filter;
    let flags = [is_active, is_staff, is_superuser];
    flags.iter().any(|flag| flag.is_some()) || group.is_some() || !fields.is_empty()
}

/// The page along the order, without filters, and one row more if there is a next page.
pub(crate) fn walk(filter: &UserFilter, columns: &str) -> Statement {
    let order = Order::of(filter);
    let mut page = Statement::default();
    page.push(&format!("SELECT {columns}, {} FROM users WHERE TRUE", order.as_text()));
    page.and_after(&order, filter.after.as_ref());
    page.ordered(&order, one_more(filter.limit));
    page
}

/// So many of those who fit, in the stretch of the order between two places; without the second, to its end.
pub(crate) fn stretch(
    filter: &UserFilter,
    columns: &str,
    (after, end): (Option<&UserCursor>, Option<&UserCursor>),
    limit: i64,
) -> Statement {
    let order = Order::of(filter);
    let mut page = Statement::default();
    page.push(&format!("SELECT {columns}, {} FROM users WHERE TRUE", order.as_text()));
    page.and_beyond(&order, if order.descending { "<" } else { ">" }, after);
    page.and_beyond(&order, if order.descending { ">=" } else { "<=" }, end);
    page.and_fits(filter);
    page.ordered(&order, limit);
    page
}

/// The place where that stretch ends, if the order doesn't end in it: what the last user is sorted by, and their id.
pub(crate) fn stretch_end(filter: &UserFilter, after: Option<&UserCursor>) -> Statement {
    let order = Order::of(filter);
    let mut end = Statement::default();
    end.push(&format!("SELECT {}, id FROM users WHERE TRUE", order.as_text()));
    end.and_after(&order, after);
    end.ordered(&order, 1);
    end.push(" OFFSET ");
    end.bind(Arg::Int(i64::from(STRETCH) - 1));
    end
}

/// The next page's place after these rows, which were asked for with one more than the page has: that one is taken off.
pub(crate) fn next_after(rows: &mut Vec<Sorted>, limit: u32) -> Option<UserCursor> {
    if !cut(rows, limit) {
        return None;
    }
    rows.last().map(|(user, key)| UserCursor { key: key.clone(), id: user.id })
}

/// The words of a search that count, folded as names are.
fn words(search: &str) -> Vec<NameKey> {
    let words = search.split_whitespace().map(NameKey::of_any).filter(|word| !word.as_str().is_empty());
    // No text in the database has it, and PostgreSQL takes no text with it.
    words.filter(|word| !word.as_str().contains('\0')).take(UserFilter::WORDS).collect()
}

/// The columns that a word may begin, each with an index.
const SEARCHED_COLUMNS: [&str; 4] = ["username_key", "email_key", "first_name_key", "last_name_key"];

/// The ids of those whom a word fits.
fn found_by(word: &NameKey) -> Statement {
    let mut ids = Statement::default();
    for (index, column) in SEARCHED_COLUMNS.into_iter().enumerate() {
        if index > 0 {
            ids.push(" UNION ");
        }
        ids.push(&format!("SELECT id FROM (SELECT id FROM users WHERE {column} <> '' AND "));
        ids.begins(column, word);
        ids.push(&format!(" ORDER BY {column} LIMIT "));
        ids.bind(Arg::Int(one_more(UserFilter::SEARCHED)));
        ids.push(&format!(") AS by_{column}"));
    }
    if let Some(id) = id_in(word) {
        ids.push(" UNION SELECT id FROM users WHERE id = ");
        ids.bind(Arg::Int(id.0));
    }
    ids
}

fn id_in(word: &NameKey) -> Option<UserId> {
    word.as_str().parse().ok().map(UserId)
}

/// An order of the list.
struct Order {
    /// What is sorted by, as the index has it.
    column: &'static str,
    is_number: bool,
    descending: bool,
}

impl Order {
    fn of(filter: &UserFilter) -> Self {
        let (column, is_number) = match filter.sort {
            UserSort::Username => ("username_key", false),
            UserSort::Email => ("email_key", false),
            UserSort::Joined => ("joined_at", true),
            UserSort::LastLogin => ("last_login_key", true),
        };
        Self { column, is_number, descending: filter.descending }
    }

    /// What is sorted by, as a text.
    fn as_text(&self) -> String {
        format!("CAST({} AS TEXT) AS sorted_by", self.column)
    }

    /// A cursor's key. One that is no number where a number is needed was made up, and leads to another page.
    fn key(&self, cursor: &UserCursor) -> Arg {
        if self.is_number { Arg::Int(cursor.key.parse().unwrap_or(0)) } else { Arg::Text(cursor.key.clone()) }
    }
}

impl Statement {
    /// The column begins with this word: a range that an index finds, in the order of bytes.
    fn begins(&mut self, column: &str, word: &NameKey) {
        self.push(&format!("{column} >= "));
        self.bind(Arg::Text(word.as_str().to_owned()));
        self.push(&format!(" AND {column} < "));
        self.bind(Arg::Text(format!("{}\u{10ffff}", word.as_str())));
    }

    fn and_fits(&mut self, filter: &UserFilter) {
        // First, since it needs no more than an index has.
        if let Some(group) = filter.group {
            self.push(
                " AND EXISTS (SELECT 1 FROM user_groups WHERE user_groups.user_id = users.id AND group_id = ",
            );
            self.bind(Arg::Int(group.0));
            self.push(")");
        }
        for word in words(&filter.search) {
            self.push(" AND (");
            for column in SEARCHED_COLUMNS {
                self.begins(column, &word);
                self.push(" OR ");
            }
            self.push("id = ");
            self.bind(Arg::Int(id_in(&word).map_or(-1, |id| id.0)));
            self.push(")");
        }
        for (column, wanted) in [
            ("is_active", filter.is_active),
            ("is_staff", filter.is_staff),
            ("is_superuser", filter.is_superuser),
        ] {
            // Not just `column`: a walk along the order is not to become one along the index of all staff.
            match wanted {
                Some(true) => self.push(&format!(" AND {column} = TRUE")),
                Some(false) => self.push(&format!(" AND {column} = FALSE")),
                None => {}
            }
        }
        for FieldFilter { field, is } in &filter.fields {
            let (exists, value) = match is {
                FieldIs::Value(value) => ("EXISTS", Some(("value =", value))),
                FieldIs::ValueOrNone(value) => ("NOT EXISTS", Some(("value <>", value))),
                FieldIs::None => ("NOT EXISTS", None),
            };
            self.push(&format!(
                " AND {exists} (SELECT 1 FROM field_values WHERE field_values.user_id = users.id AND field = "
            ));
            self.bind(Arg::Text(field.clone()));
            if let Some((condition, value)) = value {
                self.and(condition, Arg::Text(value.clone()));
            }
            self.push(")");
        }
    }

    /// After the cursor.
    fn and_after(&mut self, order: &Order, after: Option<&UserCursor>) {
        self.and_beyond(order, if order.descending { "<" } else { ">" }, after);
    }

    /// On one side of a place.
    fn and_beyond(&mut self, order: &Order, sign: &str, place: Option<&UserCursor>) {
        let Some(cursor) = place else { return };
        self.push(&format!(" AND ({}, listed_id) {sign} (", order.column));
        self.bind(order.key(cursor));
        self.push(", ");
        self.bind(Arg::Int(cursor.id.0));
        self.push(")");
    }

    fn ordered(&mut self, order: &Order, limit: i64) {
        let direction = if order.descending { "DESC" } else { "ASC" };
        self.push(&format!(" ORDER BY {} {direction}, listed_id {direction} LIMIT ", order.column));
        self.bind(Arg::Int(limit));
    }
}
