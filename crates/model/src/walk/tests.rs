//! Walks over sources that change while they are read.

use std::collections::BTreeSet;

use super::*;

/// A source of numbered rows, read in pages, with a hook that changes it between requests.
struct Rows {
    rows: Vec<u32>,
    size: usize,
    total: Option<i64>,
    has_next: bool,
}

impl Rows {
    fn page(&self, n: u32) -> (Vec<u32>, Option<u64>, Option<bool>) {
        let start = (n as usize - 1) * self.size;
        let rows: Vec<u32> = self.rows.iter().skip(start).take(self.size).copied().collect();
        let more = start + self.size < self.rows.len();
        let total = self.total.map(|lie| (self.rows.len() as i64 + lie) as u64);
        (rows, total, self.has_next.then_some(more))
    }
}

fn drive(mut src: Rows, mut between: impl FnMut(usize, &mut Rows)) -> (Walk, BTreeSet<u32>, usize) {
    let mut walk = Walk::new(Paging::Numbered, Verify::Auto, src.size as u32);
    let (mut all, mut in_pass, mut pass, mut requests) = (BTreeSet::new(), BTreeSet::new(), 1, 0);
    while walk.done().is_none() {
        assert!(requests < 10_000, "unbounded");
        let Some(PageAt::Number(n)) = walk.wanted(1).pop() else { panic!("no page wanted") };
        if walk.pass() != pass {
            pass = walk.pass();
            in_pass.clear();
        }
        let (rows, total, has_next) = src.page(n);
        requests += 1;
        let fresh = rows.iter().filter(|r| in_pass.insert(**r)).count() as u64;
        let news = rows.iter().filter(|r| all.insert(**r)).count() as u64;
        walk.absorb(&PageSeen {
            elements: rows.len() as u64,
            fresh,
            news,
            total,
            has_next,
            ..PageSeen::default()
        });
        between(requests, &mut src);
    }
    (walk, all, requests)
}

fn rows(n: u32, total: Option<i64>, has_next: bool) -> Rows {
    Rows { rows: (0..n).collect(), size: 10, total, has_next }
}

#[test]
fn declared_total_costs_one_request_more_than_its_pages() {
    let (walk, all, requests) = drive(rows(200, Some(0), true), |_, _| {});
    assert_eq!((walk.done(), all.len(), requests), (Some(true), 200, 21));
    let (walk, _, requests) = drive(rows(7, Some(0), true), |_, _| {});
    assert_eq!((walk.done(), requests), (Some(true), 1));
}

#[test]
fn without_total_two_passes_must_agree() {
    let (walk, all, requests) = drive(rows(35, None, true), |_, _| {});
    assert_eq!((walk.done(), all.len(), requests), (Some(true), 35, 8));
    let (walk, _, requests) = drive(rows(9, None, true), |_, _| {});
    assert_eq!((walk.done(), requests), (Some(true), 1));
}

#[test]
fn ids_that_are_shared_across_pages_are_reported() {
    for total in [Some(0), None] {
        let mut src = rows(45, total, true);
        (src.rows[41], src.rows[30]) = (7, 12);
        let (walk, all, _) = drive(src, |_, _| {});
        assert_eq!((walk.done(), all.len()), (Some(true), 43));
        let found: Vec<_> = walk.problems().iter().filter(|p| p.code == "HL-7020").collect();
        assert!(found.len() == 1 && found[0].message.en.starts_with("2 elements"), "{found:?}");
        // One that slips to a page that is still to be read is none of these.
        let (walk, ..) = drive(rows(45, total, true), |n, s| {
            if n == 3 {
                s.rows.insert(0, 1000);
            }
        });
        assert!(walk.done() == Some(true) && walk.problems().is_empty(), "{:?}", walk.problems());
    }
}

#[test]
fn rows_that_slip_across_a_page_border_are_found() {
    for (total, has_next) in [(Some(0), true), (Some(0), false), (None, true), (None, false)] {
        for at in 1..9 {
            // A row of page 1 moves to the end: what stood behind it moves one place forward.
            let (walk, all, _) = drive(rows(45, total, has_next), |n, s| {
                if n == at {
                    let r = s.rows.remove(2);
                    s.rows.push(r);
                }
            });
            assert_eq!((walk.done(), all.len()), (Some(true), 45), "{total:?} {has_next} at {at}");
            // Rows deleted and inserted.
            let (walk, all, _) = drive(rows(45, total, has_next), |n, s| {
                if n == at {
                    s.rows.remove(3);
                    s.rows.insert(0, 1000);
                    s.rows.push(1001);
                }
            });
            assert_eq!(walk.done(), Some(true));
            let missing = (0..45).filter(|r| *r != 3 && !all.contains(r)).count();
            assert_eq!(missing, 0, "{total:?} {has_next} at {at}");
        }
    }
}

#[test]
fn a_row_that_leaves_does_not_hide_one_that_slipped() {
    // Newest first: a change takes a row to the front, and what stood before it one place towards pages read
    // already; a row that was seen is removed, so that the numbers agree.
    for (gone, changed) in [(44, 25), (40, 39), (35, 12)] {
        for at in 2..6 {
            let (walk, all, requests) = drive(rows(45, Some(0), true), |n, s| {
                if n == at {
                    s.rows.retain(|r| *r != gone);
                    let i = s.rows.iter().position(|r| *r == changed).unwrap_or(0);
                    let row = s.rows.remove(i);
                    s.rows.insert(0, row);
                }
            });
            let missing = (0..45).filter(|r| *r != gone && !all.contains(r)).count();
            assert_eq!((walk.done(), missing), (Some(true), 0), "{gone} {changed} at {at}");
            assert!(requests <= 12, "{requests} requests for twice five pages and page 1 again");
        }
    }
}

#[test]
fn lying_totals_are_reported_and_bounded() {
    let (walk, all, _) = drive(rows(45, Some(-20), true), |_, _| {});
    assert_eq!(all.len(), 45);
    assert!(walk.problems().iter().any(|p| p.code == "HL-7027"));
    let (walk, all, requests) = drive(rows(45, Some(30), true), |_, _| {});
    assert_eq!((walk.done(), all.len()), (Some(false), 45));
    assert!(requests < 60 && walk.problems().iter().any(|p| p.code == "HL-7021"));
}

#[test]
fn a_page_that_comes_back_for_ever_is_bounded() {
    let mut walk = Walk::new(Paging::Numbered, Verify::Auto, 10);
    let mut n = 0;
    while walk.done().is_none() {
        n += 1;
        assert!(n < 50);
        let fresh = if n == 1 { 10 } else { 0 };
        walk.absorb(&PageSeen {
            elements: 10,
            fresh,
            news: fresh,
            has_next: Some(true),
            ..PageSeen::default()
        });
    }
    assert_eq!(walk.done(), Some(false));
    assert!(!walk.problems().is_empty());
}

#[test]
fn anchored_cursor_ends_when_nothing_is_larger_and_falls_back_when_ignored() {
    let mut walk = Walk::new(Paging::Anchored, Verify::Auto, 50);
    let page = |min: &str, max: &str, fresh| PageSeen {
        elements: 2,
        fresh,
        news: fresh,
        min_anchor: Some(min.into()),
        max_anchor: Some(max.into()),
        has_next: Some(false),
        ..PageSeen::default()
    };
    walk.absorb(&page("5", "9", 2));
    assert_eq!(walk.wanted(4), vec![PageAt::Anchor("9".into())]);
    walk.absorb(&page("9", "10", 1));
    walk.absorb(&page("10", "10", 0));
    assert_eq!(walk.done(), Some(true));

    let mut walk = Walk::new(Paging::Anchored, Verify::Auto, 50);
    walk.absorb(&page("5", "9", 2));
    walk.absorb(&page("5", "9", 0));
    assert_eq!(walk.wanted(1), vec![PageAt::Number(1)]);
}

#[test]
fn a_stored_walk_goes_on_where_it_was() {
    let mut walk = Walk::new(Paging::Numbered, Verify::Auto, 10);
    walk.absorb(&PageSeen { elements: 10, fresh: 10, total: Some(45), ..PageSeen::default() });
    let text = serde_json::to_string(&walk).unwrap_or_default();
    let back: Walk =
        serde_json::from_str(&text).unwrap_or_else(|_| Walk::new(Paging::Single, Verify::Off, 1));
    assert_eq!(back, walk);
    assert_eq!(back.wanted(2), vec![PageAt::Number(5), PageAt::Number(4)]);
}
