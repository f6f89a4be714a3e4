//! A map that never outgrows its capacity.

use std::collections::HashMap;

use crate::time::Timestamp;

/// What an entry is kept by: a hash, so that its size doesn't depend on what was sent.
pub(super) type Key = u128;

/// So many entries are looked at when one is added. The work is the same however full the table is.
const SAMPLE: usize = 8;

/// What an entry is worth: the failures that would be forgotten with it, or nothing.
pub(super) trait Worth: Copy + Default {
    fn worth(&self, now: Timestamp) -> u32;
}

pub(super) struct Table<V> {
    capacity: usize,
    entries: HashMap<Key, Entry<V>>,
    /// All keys, in no order; each entry knows its key's place.
    keys: Vec<Key>,
    /// Where the next sample starts.
    hand: usize,
}

struct Entry<V> {
    place: usize,
    value: V,
}

impl<V: Worth> Table<V> {
    pub(super) fn new(capacity: usize) -> Self {
        Self { capacity: capacity.max(1), entries: HashMap::new(), keys: Vec::new(), hand: 0 }
    }

    #[cfg(test)]
    pub(super) fn len(&self) -> usize {
        self.keys.len()
    }

    /// The value as it stands; a fresh one if there is none.
    pub(super) fn peek(&self, key: Key) -> V {
        self.entries.get(&key).map(|entry| entry.value).unwrap_or_default()
    }

    /// Changes a value, which is a fresh one if there was none, and forgets it if it is worth nothing afterwards.
    pub(super) fn with(&mut self, key: Key, now: Timestamp, change: impl FnOnce(&mut V)) {
        let mut value = self.peek(key);
        change(&mut value);
        if value.worth(now) == 0 {
            self.remove(key);
        } else if let Some(entry) = self.entries.get_mut(&key) {
            entry.value = value;
        } else {
            self.make_room(now);
            self.entries.insert(key, Entry { place: self.keys.len(), value });
            self.keys.push(key);
        }
    }

    /// Drops the least of the next few entries if it is worth nothing, or if there is no room.
    fn make_room(&mut self, now: Timestamp) {
        let sample = self.keys.iter().skip(self.hand).chain(&self.keys).take(SAMPLE);
        let least = sample.map(|key| (self.peek(*key).worth(now), *key)).min();
        let next = self.hand + SAMPLE;
        self.hand = if next < self.keys.len() { next } else { 0 };
        if let Some((worth, key)) = least
            && (worth == 0 || self.keys.len() >= self.capacity)
        {
            self.remove(key);
        }
    }

    /// The last key takes the place of the removed one.
    fn remove(&mut self, key: Key) {
        let Some(Entry { place, .. }) = self.entries.remove(&key) else { return };
        self.keys.swap_remove(place);
        if let Some(moved) = self.keys.get(place).and_then(|moved| self.entries.get_mut(moved)) {
            moved.place = place;
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    impl Worth for u32 {
        fn worth(&self, _: Timestamp) -> u32 {
            *self
        }
    }

    const NOW: Timestamp = Timestamp::from_secs(0);

    fn get(table: &Table<u32>, key: Key) -> u32 {
        table.peek(key)
    }

    #[test]
    fn an_entry_that_is_worth_nothing_is_not_kept() {
        let mut table = Table::<u32>::new(1000);
        table.with(1, NOW, |value| *value = 5);
        table.with(2, NOW, |value| *value = 0);
        assert_eq!((get(&table, 1), table.len()), (5, 1));
        table.with(1, NOW, |value| *value = 0);
        assert_eq!((get(&table, 1), table.len()), (0, 0));
    }

    #[test]
    fn a_full_table_forgets_the_least() {
        let mut table = Table::<u32>::new(64);
        table.with(0, NOW, |value| *value = 9);
        for key in 1..100_000 {
            table.with(key, NOW, |value| *value = 1);
        }
        assert_eq!(table.len(), 64);
        assert_eq!(get(&table, 0), 9);
    }

    // What the module's own page promises: the hash map of a full table has at most 16 slots for 7 entries, each with
    // a byte of its own; and `keys` at most two for one.
    #[test]
    fn an_entry_takes_at_most_256_bytes() {
        let slot = size_of::<(Key, Entry<super::super::Window>)>() + 1;
        assert!(slot * 16 / 7 + 2 * size_of::<Key>() <= 256, "{slot}");
    }

    proptest! {
        #[test]
        fn a_table_with_room_is_a_map(changes in prop::collection::vec((0..40_u128, 0..3_u32), 0..200)) {
            let mut table = Table::<u32>::new(64);
            let mut model = HashMap::new();
            for (key, value) in changes {
                table.with(key, NOW, |entry| *entry = value);
                model.insert(key, value);
            }
            for (key, value) in model {
                prop_assert_eq!(get(&table, key), value);
            }
        }

        #[test]
        fn no_table_outgrows_its_capacity(keys in prop::collection::vec(0..1000_u128, 0..500)) {
            let mut table = Table::<u32>::new(3);
            for key in keys {
                table.with(key, NOW, |entry| *entry += 1);
                prop_assert!(table.len() <= 3);
            }
        }
    }
}
