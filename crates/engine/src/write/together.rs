//! Which records are put together in one go: all that belong to a bill, of as few bills as fill a batch, so that never
//! more than these are read as values at a time.

use std::collections::HashMap;

use bytes::Bytes;

use crate::spec::Renderer;

/// Contents of one go at most (bytes), unless a single bill is larger.
const GO_BYTES: usize = 4 * 1024 * 1024;
/// Bills of one go at least, where they fit.
const GO_BILLS: usize = 64;

/// Positions of records in goes of at most `most` bills, in the order in which bills first appear; those of a bill in
/// their order. A record whose rows lie in several bills keeps them in one go.
pub(super) fn goes<'a>(
    renderer: &dyn Renderer,
    contents: impl Iterator<Item = &'a Bytes>,
    most: usize,
) -> Vec<Vec<usize>> {
    // The first record of each key stands for it; who shares one is joined to it.
    let mut first: HashMap<Vec<String>, usize> = HashMap::new();
    let mut above: Vec<usize> = Vec::new();
    let mut sizes: Vec<usize> = Vec::new();
    for (at, content) in contents.enumerate() {
        above.push(at);
        sizes.push(content.len());
        for key in renderer.keys(content) {
            let other = *first.entry(key).or_insert(at);
            let (a, b) = (head(&mut above, other), head(&mut above, at));
            // The earlier one leads, so that bills stay in the order of their first records.
            if let Some(slot) = above.get_mut(a.max(b)) {
                *slot = a.min(b);
            }
        }
    }
    drop(first);
    let mut places: HashMap<usize, usize> = HashMap::new();
    let mut bills: Vec<Vec<usize>> = Vec::new();
    for at in 0..above.len() {
        let place = *places.entry(head(&mut above, at)).or_insert(bills.len());
        match bills.get_mut(place) {
            Some(bill) => bill.push(at),
            None => bills.push(vec![at]),
        }
    }
    let most = most.max(GO_BILLS);
    let (mut out, mut count, mut bytes): (Vec<Vec<usize>>, usize, usize) = (Vec::new(), most, 0);
    for bill in bills {
        let size: usize = bill.iter().filter_map(|at| sizes.get(*at)).sum();
        if count >= most || bytes.saturating_add(size) > GO_BYTES {
            out.push(Vec::new());
            (count, bytes) = (0, 0);
        }
        (count, bytes) = (count + 1, bytes.saturating_add(size));
        if let Some(go) = out.last_mut() {
            go.extend(bill);
        }
    }
    // As they came: the order of the rows in a bill, and which of several values is the first one, depend on it.
    out.iter_mut().for_each(|go| go.sort_unstable());
    out
}

/// Who stands for a record.
fn head(above: &mut [usize], mut at: usize) -> usize {
    while let Some(up) = above.get(at).copied().filter(|up| *up != at) {
        // Halves the way for the next one who asks.
        let further = above.get(up).copied().unwrap_or(up);
        if let Some(slot) = above.get_mut(at) {
            *slot = further;
        }
        at = further;
    }
    at
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "tests")]

    use super::*;
    use crate::spec::Gathered;
    use heliu_model::ports::RowBody;
    use heliu_model::{Failure, Window};

    /// Keys are the words of the content.
    struct Words;

    impl Renderer for Words {
        fn keys(&self, content: &Bytes) -> Vec<Vec<String>> {
            let text = String::from_utf8_lossy(content).into_owned();
            text.split_whitespace().map(|w| vec![w.to_owned()]).collect()
        }
        fn gather(&self, _: &[Bytes]) -> Vec<Gathered> {
            Vec::new()
        }
        fn render(&self, _: &Window, _: &Bytes) -> Result<RowBody, Failure> {
            Ok(RowBody::Nothing)
        }
    }

    fn of(texts: &[String], most: usize) -> Vec<Vec<usize>> {
        let contents: Vec<Bytes> = texts.iter().map(|t| Bytes::from(t.clone())).collect();
        goes(&Words, contents.iter(), most)
    }

    #[test]
    fn what_belongs_together_is_in_one_go_whatever_it_shares() {
        // 300 chains whose links come in three rounds: a with b, b with c, c alone; and records without any key.
        let mut texts: Vec<String> = Vec::new();
        for round in ["a{} b{}", "c{} x{}", "b{} c{}", ""] {
            texts.extend((0..300).map(|i| round.replace("{}", &i.to_string())));
        }
        let all = of(&texts, 100);
        let mut seen: Vec<usize> = all.iter().flatten().copied().collect();
        seen.sort_unstable();
        assert_eq!(seen, (0..1_200).collect::<Vec<_>>(), "each once");
        assert_eq!(all.len(), 6, "600 bills, 100 a go");
        let go_of = |at: usize| all.iter().position(|go| go.contains(&at)).unwrap();
        for i in 0..300 {
            assert_eq!(go_of(i), go_of(i + 300), "{i}");
            assert_eq!(go_of(i), go_of(i + 600), "{i}");
            assert_eq!(go_of(i), i / 100, "in the order of first appearance");
        }
        assert!(all.iter().all(|go| go.is_sorted()));
    }

    #[test]
    fn a_go_is_bounded_by_size_and_a_large_bill_has_one_of_its_own() {
        let long = "x".repeat(GO_BYTES / 3);
        let texts: Vec<String> =
            (0..9).map(|i| format!("k{} {i}{long}", if i > 6 { 7 } else { i })).collect();
        assert_eq!(of(&texts, 1_000), [vec![0, 1], vec![2, 3], vec![4, 5], vec![6], vec![7, 8]]);
        let one: Vec<String> = (0..9).map(|i| format!("k {i}{long}")).collect();
        assert_eq!(of(&one, 1_000).len(), 1);
        assert!(of(&[], 10).is_empty());
    }
}
