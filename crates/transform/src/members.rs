//! Building an object member by member, in time that grows with its size, repeated keys or not.

use std::collections::HashMap;

use crate::value::Key;
use crate::{Map, Value};

/// Members from which an object gets an index of its keys while it is built.
const LARGE: usize = 64;

/// Members so far: of a repeated key the last value counts, at the place of the first.
#[derive(Default)]
pub(crate) struct Members {
    list: Vec<(Key, Value)>,
    /// A few bits per key, while there are few.
    bits: [u64; 4],
    /// The places of all keys, once there are many.
    index: Option<HashMap<Key, usize>>,
}

impl Members {
    /// With room for so many.
    pub fn with_capacity(n: usize) -> Self {
        Members { list: Vec::with_capacity(n), ..Members::default() }
    }

    /// Adds a member, or replaces the value of one.
    pub fn put(&mut self, key: Key, value: Value) {
        if let Some(place) = self.place(key) {
            *place = value;
        }
    }

    /// The place of a member's value, for it to be made there: null in a new one, of a repeated key the value before.
    pub fn place(&mut self, key: Key) -> Option<&mut Value> {
        let at = match self.position(&key) {
            Some(at) => at,
            None => {
                // One allocation for nearly all objects there are.
                if self.list.is_empty() {
                    self.list.reserve(8);
                }
                let at = self.list.len();
                // Made where it stays: a pair that is pushed is written byte by byte and read by words, which waits.
                self.list.resize_with(at + 1, Default::default);
                if let Some((name, _)) = self.list.get_mut(at) {
                    *name = key;
                }
                at
            }
        };
        self.list.get_mut(at).map(|(_, value)| value)
    }

    /// The object.
    pub fn into_map(self) -> Map {
        Map::from_members(self.list)
    }

    /// Position of `key`; if it is new, it will be the next one.
    fn position(&mut self, key: &Key) -> Option<usize> {
        if self.list.len() >= LARGE && self.index.is_none() {
            self.index = Some(self.list.iter().enumerate().map(|(i, (k, _))| (k.clone(), i)).collect());
        }
        if let Some(index) = &mut self.index {
            if let Some(at) = index.get(key) {
                return Some(*at);
            }
            index.insert(key.clone(), self.list.len());
            return None;
        }
        let h = spread(key.as_bytes());
        let word = self.bits.get_mut(h >> 6)?;
        let bit = 1u64 << (h & 63);
        let maybe = *word & bit != 0;
        *word |= bit;
        if maybe { self.list.iter().position(|(k, _)| k == key) } else { None }
    }
}

/// A number below 256 by what differs most among keys: length, first, middle and last byte. What falls together costs
/// a comparison, no more.
fn spread(key: &[u8]) -> usize {
    let n = key.len();
    let at = |i: usize| usize::from(key.get(i).copied().unwrap_or(0));
    (n.wrapping_mul(31)
        ^ at(0).wrapping_mul(7)
        ^ at(n / 2).wrapping_mul(5)
        ^ at(n.wrapping_sub(1)).wrapping_mul(3))
        & 255
}
