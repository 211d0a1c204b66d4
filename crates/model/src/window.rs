//! The half-open time range that a run reads, and how long ranges are cut.

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

impl Window {
    /// Cuts the range into consecutive windows no longer than `max_ms` (milliseconds), in order.
    /// An empty or reversed range stays one window, so that a run always has something to show.
    pub fn split(self, max_ms: Option<i64>) -> Vec<Window> {
        let Some(max) = max_ms.filter(|m| *m > 0) else { return vec![self] };
        let mut out = Vec::new();
        let mut from = self.from;
        while from.plus_ms(max) < self.to {
            let to = from.plus_ms(max);
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

    #[test]
    fn split_covers_without_gap_or_overlap() {
        let w = Window { from: Ts(0), to: Ts(25) };
        let parts = w.split(Some(10));
        assert_eq!(parts.len(), 3);
        assert_eq!(parts.first().map(|p| p.from), Some(Ts(0)));
        assert_eq!(parts.last().map(|p| p.to), Some(Ts(25)));
        assert!(parts.windows(2).all(|p| p[0].to == p[1].from));
        assert_eq!(Window { from: Ts(0), to: Ts(20) }.split(Some(10)).len(), 2);
        assert_eq!(w.split(None), vec![w]);
    }
}
