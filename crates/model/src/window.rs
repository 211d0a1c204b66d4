//! The half-open time range that a run reads, how long ranges are cut, and what of a range a request may name.
//!
//! Everything is done with instants; local texts appear only when a request is rendered. A text can be ambiguous (the
//! hour that a clock change repeats) or coarser than an instant: [`Edges`] says what has to be sent so that no row
//! falls between two windows.

use chrono::{DateTime, LocalResult, NaiveDateTime, TimeZone, Timelike, Utc};
use chrono_tz::Tz;
use serde::{Deserialize, Serialize};

use crate::Ts;

/// `[from, to)`. `LAST_SYNC_TIME` and `CURRENT_TIME` come from it (dialect, decisions table).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Window {
    /// First instant inside.
    pub from: Ts,
    /// First instant behind.
    pub to: Ts,
}

/// How a source understands the times that its requests carry.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Edges {
    /// Rows whose time is the end itself belong to the reply.
    pub inclusive_end: bool,
    /// Smallest step (ms) between two times of the source's rows: an inclusive end is sent one step earlier.
    pub step_ms: i64,
    /// The end is rendered more coarsely than the beginning: windows end on such steps (ms), in `tz`. 0: no need.
    pub align_ms: i64,
    /// Zone of the texts in requests.
    pub tz: Tz,
}

impl Default for Edges {
    fn default() -> Self {
        Edges { inclusive_end: false, step_ms: 1_000, align_ms: 0, tz: chrono_tz::Asia::Shanghai }
    }
}

const DAY_MS: i64 = 86_400_000;

fn local(at: Ts, tz: Tz) -> Option<NaiveDateTime> {
    Some(DateTime::<Utc>::from_timestamp_millis(at.0)?.with_timezone(&tz).naive_local())
}

/// The largest instant at or before `at` that lies on a step of the local clock. Steps of a day begin at local
/// midnight; where a clock change makes such a time ambiguous or skips it, the earlier instant is taken.
pub fn align_down(at: Ts, step_ms: i64, tz: Tz) -> Ts {
    if step_ms <= 1 {
        return at;
    }
    let Some(naive) = local(at, tz) else { return at };
    let of_day = i64::from(naive.num_seconds_from_midnight()) * 1000 + at.0.rem_euclid(1000);
    // Whole days, or a part of one.
    let into = of_day % step_ms.min(DAY_MS);
    let wanted = naive - chrono::Duration::milliseconds(into);
    let found = match tz.from_local_datetime(&wanted) {
        LocalResult::Single(t) => t.timestamp_millis(),
        LocalResult::Ambiguous(a, b) => {
            let (a, b) = (a.timestamp_millis(), b.timestamp_millis());
            // In the second round of a repeated hour its own round counts.
            if a.max(b) <= at.0 { a.max(b) } else { a.min(b) }
        }
        // Midnight itself is skipped: the day begins later; the step before serves as well.
        LocalResult::None => at.0 - into,
    };
    Ts(found.min(at.0))
}

/// When the repeated hour that holds the local text of `at` begins for the first time; `None` for all other instants.
fn repeated_since(at: Ts, tz: Tz) -> Option<Ts> {
    let naive = local(at, tz)?;
    let LocalResult::Ambiguous(..) = tz.from_local_datetime(&naive) else { return None };
    // Texts are ambiguous for as long as the clock is set back, in practice 30 minutes to 2 hours.
    let mut step = chrono::Duration::minutes(1);
    let mut probe = naive;
    while let LocalResult::Ambiguous(..) = tz.from_local_datetime(&(probe - step)) {
        probe -= step;
    }
    step = chrono::Duration::seconds(1);
    while let LocalResult::Ambiguous(..) = tz.from_local_datetime(&(probe - step)) {
        probe -= step;
    }
    match tz.from_local_datetime(&(probe - step)) {
        // The last text before the repeated ones that can mean one instant only.
        LocalResult::Single(t) => Some(Ts(t.timestamp_millis())),
        _ => None,
    }
}

/// For an instant in the second round of a repeated hour: when that hour is over; `None` for all other instants. Rows of
/// the first round, which are older, have texts up to there.
fn repeated_until(at: Ts, tz: Tz) -> Option<Ts> {
    let naive = local(at, tz)?;
    let LocalResult::Ambiguous(a, b) = tz.from_local_datetime(&naive) else { return None };
    if at.0.div_euclid(1000) < a.timestamp().max(b.timestamp()) {
        return None;
    }
    let mut probe = naive.with_nanosecond(0)?;
    for step in [chrono::Duration::minutes(1), chrono::Duration::seconds(1)] {
        while let LocalResult::Ambiguous(..) = tz.from_local_datetime(&(probe + step)) {
            probe += step;
        }
    }
    match tz.from_local_datetime(&(probe + chrono::Duration::seconds(1))) {
        LocalResult::Single(t) => Some(Ts(t.timestamp_millis())),
        _ => None,
    }
}

impl Edges {
    /// The range that a request names, so that consecutive windows join without a gap whatever the texts can say:
    ///
    /// - a beginning whose text is ambiguous is named by the last text before that is not;
    /// - an end in the second round of a repeated hour is named by the hour's end, for the first round's rows;
    /// - an end that the source includes is named one step earlier, so that no row belongs to two windows.
    pub fn sent(&self, window: Window) -> Window {
        let from = repeated_since(window.from, self.tz).unwrap_or(window.from);
        let to = repeated_until(window.to, self.tz).unwrap_or(window.to);
        let to = if self.inclusive_end { to.plus_ms(-self.step_ms.max(1)) } else { to };
        Window { from, to: to.max(from) }
    }

    /// The end of a window that is to be read now: `settle_ms` before now, never past the source's own now, on a step
    /// that the request can name. `behind_ms`: by how much the source's clock is behind ours.
    pub fn end(&self, now: Ts, settle_ms: i64, behind_ms: i64) -> Ts {
        let settled = now.plus_ms(-settle_ms).plus_ms(-behind_ms.max(0)).floor_secs();
        if self.align_ms > 1_000 { align_down(settled, self.align_ms, self.tz) } else { settled }
    }
}

impl Window {
    /// Cuts the range into consecutive windows no longer than `max_ms` (milliseconds), in order. No window is longer
    /// by the local clock either: a platform that counts local days sees an hour more when the clock is set forward.
    /// An empty or reversed range stays one window, so that a run always has something to show.
    pub fn split(self, max_ms: Option<i64>, tz: Tz) -> Vec<Window> {
        let Some(max) = max_ms.filter(|m| *m > 0) else { return vec![self] };
        let mut out = Vec::new();
        let mut from = self.from;
        loop {
            let mut to = from.plus_ms(max);
            if let (Some(a), Some(b)) = (local(from, tz), local(to, tz)) {
                let surplus = (b - a).num_milliseconds() - max;
                if surplus > 0 && surplus < max {
                    to = to.plus_ms(-surplus);
                }
            }
            if to >= self.to {
                break;
            }
            out.push(Window { from, to });
            from = to;
        }
        out.push(Window { from, to: self.to });
        out
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SH: Tz = chrono_tz::Asia::Shanghai;
    const BERLIN: Tz = chrono_tz::Europe::Berlin;
    const HOUR: i64 = 3_600_000;

    fn utc(words: &str) -> Ts {
        Ts::parse(words, chrono_tz::UTC).unwrap_or_else(|e| panic!("{e}"))
    }

    fn window(from: &str, to: &str) -> Window {
        Window { from: utc(from), to: utc(to) }
    }

    #[test]
    fn split_covers_without_gap_or_overlap() {
        let w = Window { from: Ts(0), to: Ts(25) };
        let parts = w.split(Some(10), SH);
        assert_eq!(parts.len(), 3);
        assert_eq!(parts.first().map(|p| p.from), Some(Ts(0)));
        assert_eq!(parts.last().map(|p| p.to), Some(Ts(25)));
        assert!(parts.windows(2).all(|p| p[0].to == p[1].from));
        assert_eq!(Window { from: Ts(0), to: Ts(20) }.split(Some(10), SH).len(), 2);
        assert_eq!(w.split(None, SH), vec![w]);
    }

    #[test]
    fn a_cut_week_is_no_longer_than_a_week_by_the_local_clock() {
        let week = 7 * 24 * HOUR;
        for (from, to) in
            [("2024-03-01 00:00:00", "2024-05-01 00:00:00"), ("2024-10-01 00:00:00", "2024-12-01 00:00:00")]
        {
            let all = window(from, to);
            let parts = all.split(Some(week), BERLIN);
            assert!(parts.windows(2).all(|p| p[0].to == p[1].from));
            assert_eq!((parts[0].from, parts[parts.len() - 1].to), (all.from, all.to));
            for p in &parts {
                let texts = (local(p.from, BERLIN), local(p.to, BERLIN));
                let (Some(a), Some(b)) = texts else { panic!("local times") };
                assert!((b - a).num_milliseconds() <= week && p.to.0 - p.from.0 <= week, "{p:?}");
            }
        }
    }

    /// A platform that keeps local texts, as an oracle: which rows does a request bring?
    fn brings((from, to): &(String, String), row: &String, inclusive: bool) -> bool {
        row >= from && (row < to || (inclusive && row == to))
    }

    fn texts(sent: Window, tz: Tz) -> (String, String) {
        (sent.from.local(tz), sent.to.local(tz))
    }

    #[test]
    fn windows_over_a_clock_change_lose_no_row() {
        let mut lost_otherwise = 0;
        for (begin, hours) in [("2024-10-26 22:00:00", 8), ("2024-03-30 22:00:00", 8)] {
            for minutes in [7, 20, 35, 50, 95] {
                for inclusive_end in [false, true] {
                    let edges = Edges { inclusive_end, tz: BERLIN, ..Edges::default() };
                    let (first, last) = (utc(begin), utc(begin).plus_ms(hours * HOUR));
                    let all = Window { from: first, to: last };
                    let parts = all.split(Some(minutes * 60_000), BERLIN);
                    let sent: Vec<_> = parts.iter().map(|p| texts(edges.sent(*p), BERLIN)).collect();
                    let plain: Vec<_> = parts.iter().map(|p| texts(*p, BERLIN)).collect();
                    let mut row = first;
                    while row < last {
                        let text = row.local(BERLIN);
                        // Each window is read when it ends: later rows are not there yet.
                        let met = |sent: &[(String, String)]| {
                            parts.iter().zip(sent).any(|(p, s)| row < p.to && brings(s, &text, inclusive_end))
                        };
                        assert!(met(&sent), "{} is lost, windows of {minutes} min", row.rfc3339(BERLIN));
                        lost_otherwise += usize::from(!met(&plain));
                        row = row.plus_ms(61_000);
                    }
                }
            }
        }
        assert!(lost_otherwise > 0, "the clock change would cost rows");
    }

    #[test]
    fn a_window_that_is_read_alone_brings_its_own_rows() {
        let zones =
            [BERLIN, chrono_tz::Australia::Lord_Howe, chrono_tz::Africa::Casablanca, chrono_tz::Asia::Tehran];
        let begins =
            ["2015-10-24 18:00:00", "2011-04-02 10:00:00", "2015-09-21 16:00:00", "2015-03-28 20:00:00"];
        for (tz, begin) in zones.iter().flat_map(|z| begins.map(|b| (*z, utc(b)))) {
            for (start, end) in (0..24).flat_map(|a| (a + 1..25).map(move |b| (a, b))) {
                for inclusive_end in [false, true] {
                    let edges = Edges { inclusive_end, tz, ..Edges::default() };
                    let (from, to) = (begin.plus_ms(start * 1_260_000), begin.plus_ms(end * 1_260_000));
                    let asked = texts(edges.sent(Window { from, to }), tz);
                    let mut row = from;
                    while row < to {
                        assert!(
                            brings(&asked, &row.local(tz), inclusive_end),
                            "{} {asked:?}",
                            row.rfc3339(tz)
                        );
                        row = row.plus_ms(60_000);
                    }
                }
            }
        }
    }

    #[test]
    fn only_ambiguous_ends_are_widened() {
        let edges = Edges { tz: BERLIN, ..Edges::default() };
        // 02:30 for the first time, for the second time, and 01:30, 03:30 that are there once.
        let first = window("2024-10-27 00:30:00", "2024-10-27 06:00:00");
        assert_eq!(edges.sent(first).from.rfc3339(BERLIN), "2024-10-27T01:59:59+02:00");
        let second = window("2024-10-27 01:30:00", "2024-10-27 06:00:00");
        assert_eq!(edges.sent(second).from.rfc3339(BERLIN), "2024-10-27T01:59:59+02:00");
        let end = |to| edges.sent(window("2024-10-26 22:00:00", to)).to.rfc3339(BERLIN);
        assert_eq!(end("2024-10-27 01:30:00"), "2024-10-27T03:00:00+01:00");
        assert_eq!(end("2024-10-27 01:59:59"), "2024-10-27T03:00:00+01:00");
        for plain in [
            window("2024-10-26 23:30:00", "2024-10-27 06:00:00"),
            window("2024-10-27 02:30:00", "2024-10-27 06:00:00"),
            window("2024-10-26 22:00:00", "2024-10-27 00:30:00"),
            window("2024-10-26 22:00:00", "2024-10-27 02:00:00"),
        ] {
            assert_eq!(edges.sent(plain), plain);
        }
        let shanghai = Edges::default();
        assert_eq!(shanghai.sent(first), first);
    }

    #[test]
    fn an_inclusive_end_is_named_one_step_earlier() {
        let w = window("2024-03-14 08:00:00", "2024-03-14 09:00:00");
        let edges = |step_ms| Edges { inclusive_end: true, step_ms, ..Edges::default() };
        assert_eq!(edges(1_000).sent(w).to, utc("2024-03-14 08:59:59"));
        assert_eq!(edges(1).sent(w).to, w.to.plus_ms(-1));
        assert_eq!(edges(60_000).sent(w).to, utc("2024-03-14 08:59:00"));
        assert_eq!(Edges::default().sent(w), w);
        let empty = Window { from: w.from, to: w.from };
        assert_eq!(edges(1_000).sent(empty), empty, "never turned round");
    }

    #[test]
    fn rows_on_the_edge_belong_to_exactly_one_window() {
        let edges = Edges { inclusive_end: true, ..Edges::default() };
        let parts = window("2024-03-14 08:00:00", "2024-03-14 09:00:00").split(Some(600_000), SH);
        let sent: Vec<_> = parts.iter().map(|p| texts(edges.sent(*p), SH)).collect();
        let mut row = parts[0].from;
        while row < parts[5].to {
            let met = sent.iter().filter(|s| brings(s, &row.local(SH), true)).count();
            assert_eq!(met, 1, "{}", row.local(SH));
            row = row.plus_ms(1_000);
        }
    }

    #[test]
    fn the_end_is_settled_on_the_sources_clock_and_can_be_named() {
        let now = utc("2024-03-14 08:25:40.750");
        let edges = Edges::default();
        assert_eq!(edges.end(now, 0, 0), utc("2024-03-14 08:25:40"));
        assert_eq!(edges.end(now, 60_000, 0), utc("2024-03-14 08:24:40"));
        // The source's clock is 90 s behind: what it will stamp within the next 90 s is not read past.
        assert_eq!(edges.end(now, 60_000, 90_000), utc("2024-03-14 08:23:10"));
        // A source that is ahead changes nothing.
        assert_eq!(edges.end(now, 0, -90_000), utc("2024-03-14 08:25:40"));
        // Beginnings with seconds, ends with minutes: a window ends on a minute.
        let minutes = Edges { align_ms: 60_000, ..edges };
        assert_eq!(minutes.end(now, 0, 0), utc("2024-03-14 08:25:00"));
        let days = Edges { align_ms: DAY_MS, ..edges };
        assert_eq!(days.end(now, 0, 0), utc("2024-03-13 16:00:00"), "midnight in Shanghai");
    }

    #[test]
    fn a_coarse_end_after_a_fine_beginning_loses_no_row() {
        let edges = Edges { align_ms: 60_000, ..Edges::default() };
        // Each window begins where the one before ended; the request names the end without seconds.
        let mut ends = vec![utc("2024-03-14 08:00:00")];
        for s in [70, 95, 190, 333, 360] {
            ends.push(edges.end(utc("2024-03-14 08:00:00").plus_ms(s * 1_000), 0, 0));
        }
        for second in 0..300 {
            let row = ends[0].plus_ms(second * 1_000).local(SH);
            let met = ends
                .windows(2)
                .filter(|p| {
                    let (from, to) = (p[0].local(SH), p[1].local(SH));
                    row >= from && row < format!("{}:00", to.get(..16).unwrap_or(""))
                })
                .count();
            assert_eq!(met, 1, "{row}");
        }
    }

    #[test]
    fn days_begin_at_local_midnight_also_when_it_is_skipped_or_repeated() {
        let day = |words: &str, tz| align_down(utc(words), DAY_MS, tz);
        assert_eq!(day("2024-10-27 20:00:00", BERLIN), utc("2024-10-26 22:00:00"));
        assert_eq!(day("2024-10-28 20:00:00", BERLIN), utc("2024-10-27 23:00:00"));
        // Havana sets its clock forward at midnight.
        let havana = chrono_tz::America::Havana;
        let at = utc("2024-03-10 12:00:00");
        let got = align_down(at, DAY_MS, havana);
        assert!(
            got <= utc("2024-03-10 05:00:00") && got >= utc("2024-03-10 03:00:00"),
            "{}",
            got.rfc3339(havana)
        );
        // Half hours in a zone that has them.
        let kathmandu = chrono_tz::Asia::Kathmandu;
        assert_eq!(align_down(utc("2024-03-14 08:40:00"), HOUR, kathmandu), utc("2024-03-14 08:15:00"));
    }
}
