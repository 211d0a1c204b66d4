//! Pages, moving rows, and when a walk counts as complete (interface §3.3).

use heliu_model::ports::{Page, Replay};
use heliu_model::run::RunReport;
use heliu_model::walk::{PageAt, Paging, Verify};
use heliu_testkit::fake::{Act, FakeSource, Row, Shelf};

use crate::world::*;

fn run(w: &World, source: FakeSource) -> RunReport {
    w.run(source, w.target(Replay::Idempotent))
}

/// Which page of the walk each mode asks for.
fn asked(w: &World, source: FakeSource) -> (RunReport, Vec<u32>) {
    let sides = w.sides(source, w.target(Replay::Idempotent));
    let log = std::sync::Arc::new(std::sync::Mutex::new(Vec::new()));
    struct Spy(std::sync::Arc<dyn heliu_model::ports::Source>, std::sync::Arc<std::sync::Mutex<Vec<u32>>>);
    #[async_trait::async_trait]
    impl heliu_model::ports::Source for Spy {
        fn shape(&self) -> &heliu_model::ports::SourceShape {
            self.0.shape()
        }
        async fn fetch(&self, r: &heliu_model::ports::PageRequest) -> heliu_model::call::Exchange<Page> {
            if let PageAt::Number(n) = r.at {
                self.1.lock().unwrap().push(n);
            }
            self.0.fetch(r).await
        }
        fn prepare(
            &self,
            r: &heliu_model::ports::PageRequest,
        ) -> Result<heliu_model::ports::Prepared, heliu_model::Failure> {
            self.0.prepare(r)
        }
    }
    let sides =
        heliu_engine::Sides { source: std::sync::Arc::new(Spy(sides.source.clone(), log.clone())), ..sides };
    let report = w.run_as(&sides, heliu_engine::RunOptions::default()).unwrap();
    let pages = log.lock().unwrap().clone();
    (report, pages)
}

#[test]
fn a_total_is_proved_by_reading_backwards() {
    let w = World::new(45);
    let (report, pages) = asked(&w, w.source(10).declares(true, false));
    assert_eq!(pages, [1, 5, 4, 3, 2, 1]);
    assert_eq!((report.exit_code(), report.windows[0].total), (0, Some(45)));
    assert_eq!((report.counts.source.returned, report.counts.source.repeated), (45, 10));
    w.assert_all_written();
}

#[test]
fn without_a_total_passes_are_read_until_two_agree() {
    let w = World::new(25);
    let (report, pages) = asked(&w, w.source(10).declares(false, true));
    assert_eq!(pages, [1, 2, 3, 1, 2, 3]);
    assert_eq!((report.exit_code(), report.counts.source.repeated), (0, 25));
    let w = World::new(25);
    let (report, pages) = asked(&w, w.source(10));
    assert_eq!(pages, [1, 2, 3, 4, 1, 2, 3, 4], "only an empty page is the end");
    assert_eq!(report.exit_code(), 0);
    w.assert_all_written();
}

#[test]
fn one_page_needs_no_second_look() {
    for (total, has_next) in [(true, true), (true, false), (false, true)] {
        let w = World::new(7);
        let (report, pages) = asked(&w, w.source(10).declares(total, has_next));
        assert_eq!((pages, report.exit_code()), (vec![1], 0));
    }
}

#[test]
fn trusted_sources_are_read_in_one_pass() {
    let mut w = World::new(45);
    w.spec.verify = Verify::Off;
    let (report, pages) = asked(&w, w.source(10).declares(true, true));
    assert_eq!((pages, report.exit_code()), (vec![1, 2, 3, 4, 5], 0));
    w.assert_all_written();
}

#[test]
fn cursors_are_followed_and_anchors_need_no_second_pass() {
    let w = World::new(45);
    let report = run(&w, w.source(10).declares(false, true).shaped(|s| s.paging = Paging::Cursor));
    assert_eq!((report.exit_code(), report.counts.source.pages), (0, 10));
    w.assert_all_written();
    let w = World::new(45);
    let report = run(&w, anchored(&w).declares(true, true));
    assert_eq!((report.exit_code(), report.counts.source.repeated), (0, 5));
    assert_eq!(report.counts.source.pages, 6, "the last row of each page comes again");
    w.assert_all_written();
    let w = World::new(45);
    let report = run(&w, w.source(10).shaped(|s| s.paging = Paging::Single));
    assert_eq!((report.exit_code(), report.counts.source.pages), (0, 1));
    w.assert_all_written();
}

fn anchored(w: &World) -> FakeSource {
    w.source(10).shaped(|s| {
        s.paging = Paging::Anchored;
        s.anchor = Some("ts".into());
    })
}

/// What happens, and how.
type Move = (&'static str, fn(&mut Shelf));

/// Ways in which rows move while they are read.
const MOVES: [Move; 6] = [
    ("a row of the first page leaves the window", |s| s.rows[2].at += 10 * HOUR),
    ("a row in the middle leaves the window", |s| s.rows[22].at += 10 * HOUR),
    ("a row of the first page is deleted", |s| drop(s.rows.remove(4))),
    ("a row appears at the front", |s| {
        s.rows.insert(0, Row { anchor: 5_000, ..Row::new("new", T0 - HOUR + 1) })
    }),
    ("a row goes from the front to the end", |s| {
        let mut row = s.rows.remove(1);
        (row.v, row.anchor) = (row.v + 1, 9_000);
        s.rows.push(row);
    }),
    ("a row goes from the end to the front", |s| {
        let mut row = s.rows.pop().unwrap();
        row.v += 1;
        row.anchor = 9_000;
        s.rows.insert(0, row);
    }),
];

/// What every mode must bring although a row moves just before request `at`.
fn survives(mode: &str, make: impl Fn(&World) -> FakeSource) {
    for (what, change) in MOVES {
        for at in 0..14 {
            let mut w = World::new(45);
            w.spec.lookback_ms = 2 * HOUR;
            let source = make(&w).scripted(move |n, _, shelf| {
                if n == at {
                    change(shelf);
                }
                Act::Answer
            });
            let report = run(&w, source);
            let place = format!("{mode}: {what}, before request {at}");
            assert!(report.failure.is_none(), "{place}: {:?}", report.failure);
            assert!(report.complete && report.balanced, "{place}: {:?}", report.problems);
            w.assert_conserved();
            // Whatever was there all the time has come, in this very run.
            let there = w.rows(|s| s.rows.clone());
            for row in there.iter().filter(|r| r.at < T0 && r.v == 1 && r.id.as_deref() != Some("new")) {
                let id = row.id.clone().unwrap();
                assert!(w.table(|t| t.rows.contains_key(&id)), "{place}: row {id} is lost");
            }
            // And what moved comes with the next one at the latest.
            w.clock.advance(11 * HOUR as u64);
            run(&w, make(&w));
            run(&w, make(&w));
            w.assert_all_written();
        }
    }
}

#[test]
fn rows_may_move_under_a_total() {
    survives("total", |w| w.source(10).declares(true, true));
    survives("total alone", |w| w.source(10).declares(true, false));
}

#[test]
fn rows_may_move_where_nothing_is_declared() {
    survives("nothing", |w| w.source(10));
    survives("has_next", |w| w.source(10).declares(false, true));
}

#[test]
fn rows_may_move_under_parallel_reading() {
    survives("parallel", |w| w.source(10).declares(true, true).shaped(|s| s.concurrency = 4));
    survives("read ahead", |w| w.source(10).declares(false, true).shaped(|s| s.concurrency = 4));
}

#[test]
fn rows_may_move_under_an_anchor() {
    survives("anchor", |w| {
        let mut source = anchored(w).declares(false, true);
        // A row version never comes again: the next window starts from it, so all rows stay in reach.
        source.windowed = true;
        source
    });
}

/// Ends, says why, is not a clean exit, and has asked for no more than `most` pages.
fn bounded(w: &World, source: FakeSource, code: &str, most: u64) -> RunReport {
    let report = run(w, source);
    assert!(codes(&report).contains(&code), "{code}: {:?}", report.problems);
    assert!(!report.complete && report.exit_code() == 1, "{code}: complete");
    assert!(report.counts.source.pages <= most, "{code}: {} pages", report.counts.source.pages);
    assert_eq!(w.watermark(), None, "{code}");
    w.assert_conserved();
    report
}

fn always_the_first(size: usize) -> impl FnMut(usize, &heliu_model::ports::PageRequest, &mut Shelf) -> Act {
    move |_, _, shelf: &mut Shelf| {
        let body: Vec<String> = shelf.rows.iter().take(size).map(|r| r.json(0)).collect();
        Act::Edit(Box::new(move |page| {
            page.elements = body.iter().map(|b| bytes::Bytes::from(b.clone())).collect();
            page.body = bytes::Bytes::new();
            page.has_next = Some(true);
        }))
    }
}

#[test]
fn a_page_that_comes_back_for_ever_is_seen() {
    for total in [false, true] {
        let w = World::new(45);
        let source = w.source(10).declares(total, true).scripted(always_the_first(10));
        let report = run(&w, source);
        assert!(!report.complete && report.exit_code() == 1 && !report.problems.is_empty());
        assert!(report.counts.source.pages < 40, "{}", report.counts.source.pages);
        w.assert_conserved();
    }
    let w = World::new(45);
    let source = w.source(10).declares(false, true).scripted(always_the_first(10));
    bounded(&w, source, "HL-7025", 6);
}

#[test]
fn has_next_for_ever_is_seen() {
    let w = World::new(25);
    let source = w
        .source(10)
        .declares(false, true)
        .scripted(|_, _, _| Act::Edit(Box::new(|page| page.has_next = Some(true))));
    bounded(&w, source, "HL-7025", 10);
}

#[test]
fn a_cursor_that_stands_still_is_seen() {
    let w = World::new(45);
    let source = w
        .source(10)
        .declares(false, true)
        .shaped(|s| s.paging = Paging::Cursor)
        .scripted(|_, _, _| Act::Edit(Box::new(|page| page.next = Some("20".into()))));
    bounded(&w, source, "HL-7024", 4);
    let w = World::new(45);
    let source = w
        .source(10)
        .declares(false, true)
        .shaped(|s| s.paging = Paging::Cursor)
        .scripted(|_, _, _| Act::Edit(Box::new(|page| page.next = None)));
    bounded(&w, source, "HL-7024", 2);
}

#[test]
fn a_cursor_that_runs_in_a_circle_is_seen() {
    let w = World::new(45);
    let source =
        w.source(10).declares(false, true).shaped(|s| s.paging = Paging::Cursor).scripted(|n, _, _| {
            Act::Edit(Box::new(move |page| {
                page.next = Some(if n % 2 == 0 { "10".into() } else { "20".into() });
                page.has_next = Some(true);
            }))
        });
    bounded(&w, source, "HL-7025", 10);
}

#[test]
fn a_total_that_promises_too_much_is_seen() {
    let w = World::new(45);
    let source = w
        .source(10)
        .declares(true, true)
        .scripted(|_, _, _| Act::Edit(Box::new(|page| page.total = page.total.map(|t| t + 30))));
    let report = bounded(&w, source, "HL-7021", 40);
    assert_eq!(report.counts.records.new, 45, "what is there has come");
}

#[test]
fn a_total_that_promises_too_little_is_overruled_by_has_next() {
    for lie in [5u64, 20, 25, 40] {
        let w = World::new(45);
        let source = w.source(10).declares(true, true).scripted(move |_, _, _| {
            Act::Edit(Box::new(move |page| page.total = page.total.map(|t| t - lie)))
        });
        let report = run(&w, source);
        assert!(codes(&report).contains(&"HL-7027"), "{lie}: {:?}", report.problems);
        assert_eq!(report.counts.records.new, 45, "{lie}");
        assert!(report.counts.source.pages < 40, "{lie}: {}", report.counts.source.pages);
        w.assert_all_written();
    }
}

#[test]
fn an_anchor_that_stands_still_or_is_ignored_falls_back_to_pages() {
    let w = World::new(45);
    w.rows(|s| s.rows.iter_mut().for_each(|r| r.anchor = 7));
    let report = run(&w, anchored(&w).declares(true, true));
    assert!(codes(&report).contains(&"HL-7023"), "{:?}", report.problems);
    assert_eq!(report.exit_code(), 0);
    w.assert_all_written();

    let w = World::new(45);
    let source = anchored(&w).declares(true, true).scripted(|_, request, shelf| {
        if !matches!(request.at, PageAt::Anchor(_)) {
            return Act::Answer;
        }
        let body: Vec<String> = shelf.rows.iter().take(10).map(|r| r.json(0)).collect();
        Act::Edit(Box::new(move |page| {
            page.elements = body.iter().map(|b| bytes::Bytes::from(b.clone())).collect();
            page.has_next = Some(true);
        }))
    });
    let report = run(&w, source);
    assert_eq!(report.exit_code(), 0, "{:?}", report.problems);
    w.assert_all_written();
}

#[test]
fn a_source_that_changes_faster_than_it_can_be_read_is_said_to() {
    let w = World::new(45);
    let source = w.source(10).declares(false, true).scripted(|n, _, shelf| {
        shelf.rows.insert(0, Row::new(format!("x{n}"), T0 - HOUR));
        Act::Answer
    });
    bounded(&w, source, "HL-7022", 60);
}

#[test]
fn ids_that_are_not_unique_are_reported_and_do_not_flap_for_ever() {
    for (size, apart) in [(50, false), (10, false), (10, true)] {
        let mut w = World::new(40);
        w.spec.lookback_ms = 2 * HOUR;
        w.rows(|s| {
            for id in ["0003", "0017", "0031"] {
                let at = s.rows.iter().position(|r| r.id.as_deref() == Some(id)).unwrap();
                let twin = Row { v: 99, ..s.rows[at].clone() };
                // Beside it, or on a page of its own.
                let place = if apart { s.rows.len() } else { at + 1 };
                s.rows.insert(place, twin);
            }
        });
        for n in 0..4 {
            let report = run(&w, w.source(size).declares(true, true));
            if !apart {
                assert!(codes(&report).contains(&"HL-7020"), "{:?}", report.problems);
            }
            assert!(report.complete && report.balanced, "run {n}: {:?} {:?}", report.counts, report.problems);
            if n > 0 && !apart {
                assert_eq!(report.counts.target.written, 0, "run {n}");
            }
            w.clock.advance(1_000);
        }
    }
}

#[test]
fn rows_that_a_page_shows_twice_are_no_gap() {
    for at in [2, 9, 25] {
        let w = World::new(35);
        w.rows(|s| s.rows.insert(at, s.rows[at].clone()));
        let report = run(&w, w.source(10).declares(true, true));
        assert!(report.complete && report.exit_code() == 0, "{at}: {:?}", report.problems);
        assert_eq!(report.windows[0].total, Some(36));
        w.assert_all_written();
    }
}

#[test]
fn a_row_missing_behind_a_clash_is_not_explained_away() {
    // One id twice on the first page, which is read twice; and one row that never comes.
    let w = World::new(35);
    w.rows(|s| {
        let twin = Row { v: 99, ..s.rows[1].clone() };
        s.rows.insert(2, twin);
    });
    let source = w.source(10).declares(true, true).scripted(|_, request, _| {
        let second = request.at == PageAt::Number(2);
        Act::Edit(Box::new(move |page| {
            if second {
                page.elements.remove(4);
            }
        }))
    });
    let report = run(&w, source);
    assert!(!report.complete && codes(&report).contains(&"HL-7021"), "{:?}", report.problems);
}

#[test]
fn elements_that_are_split_into_records_are_counted_as_the_source_counts_them() {
    let w = World::new(25);
    w.rows(|s| {
        for (i, row) in s.rows.iter_mut().enumerate() {
            let items: Vec<String> = (0..i % 4).map(|n| format!("{{\"sku\":\"{i}-{n}\"}}")).collect();
            row.more = format!(",\"items\":[{}]", items.join(","));
        }
    });
    let source = w.source(10).declares(true, true);
    let doc = serde_json::json!({
        "api": "/rows", "method": "POST", "id": "items.sku", "number": "no",
        "operation": { "method": "splitArray", "arrayKey": "items" }
    });
    let sides = heliu_engine::Sides {
        shaper: std::sync::Arc::new(source.shaped_by(&doc)),
        ..w.sides(source, w.target(Replay::Idempotent))
    };
    let report = w.run_as(&sides, heliu_engine::RunOptions::default()).unwrap();
    assert!(report.complete, "{:?}", report.problems);
    let r = report.counts.records;
    // 0 + 1 + 2 + 3 parts, six times and a bit; seven have none.
    assert_eq!((r.new, r.filtered, report.exit_code()), (36, 7, 0));
    assert_eq!(report.counts.target.written, 36);
}

#[test]
fn parallel_pages_are_at_least_eight_times_as_fast() {
    let time = |concurrency| {
        let w = World::new(2_000);
        let mut source = w.source(10).declares(true, true).shaped(|s| s.concurrency = concurrency);
        source.latency = 50;
        let report = run(&w, source);
        assert_eq!((report.exit_code(), report.counts.source.returned), (0, 2_000));
        w.assert_all_written();
        (w.now().0 - T0, report.counts.source.calls)
    };
    let (one, calls) = time(1);
    let (many, calls_many) = time(10);
    assert!(one >= 8 * many, "{one} ms alone, {many} ms with ten");
    assert!(calls <= 210 && calls_many <= 210, "{calls}, {calls_many} calls for 200 pages");
}

#[test]
fn a_hundred_thousand_rows_leave_no_gap() {
    const N: usize = 100_000;
    let mut w = World::new(0);
    w.shelf = heliu_testkit::fake::shared(heliu_testkit::fake::Shelf::of(N, T0 - 40 * HOUR));
    w.spec.start = Some(heliu_model::Ts(T0 - 48 * HOUR));
    let source = w.source(1_000).declares(true, true).shaped(|s| s.concurrency = 4);
    let report = w.run(source, w.target(Replay::Idempotent).shaped(|s| s.max_rows = 1_000));
    assert_eq!((report.exit_code(), report.counts.source.returned), (0, N as u64), "{:?}", report.problems);
    assert_eq!((report.counts.records.new, report.counts.target.written), (N as u64, N as u64));
    assert_eq!(w.table(|t| (t.rows.len(), t.doubled().len())), (N, 0));
}
