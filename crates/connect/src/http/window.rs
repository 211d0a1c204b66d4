//! How an interface understands the times of its requests: what its manifest declares, and what the document's own
//! texts can say.

use chrono_tz::Tz;
use heliu_model::Ts;
use heliu_model::window::{Edges, align_down};
use heliu_transform::mapping::Request;
use heliu_transform::{Context, Metadata};

use crate::manifest::{ApiForm, EndForm};

/// Steps on which a rendered time can lie, finest first (ms).
const STEPS: [i64; 3] = [60_000, 3_600_000, 86_400_000];

/// Edges of an interface's windows.
pub(crate) fn edges(api: Option<&ApiForm>, meta: &Metadata, tz: Tz) -> Edges {
    let declared = api.and_then(|a| a.window.as_ref());
    let tz = declared.and_then(|w| w.timezone.as_deref()).and_then(|z| z.parse().ok()).unwrap_or(tz);
    Edges {
        inclusive_end: declared.is_some_and(|w| w.end == EndForm::Inclusive),
        step_ms: declared.and_then(|w| w.step_ms).map_or(1_000, |ms| i64::from(ms.max(1))),
        align_ms: alignment(meta, tz),
        tz,
    }
}

/// The parameters for a window, as text; `None` when they cannot be rendered without a page.
fn rendered(request: &Request, from: Ts, to: Ts, tz: Tz) -> Option<String> {
    let ctx = Context { page: 1, page_size: 1, ..Context::new(from.secs(), to.secs(), tz) };
    let r = request.render(&ctx, None).ok()?;
    Some(format!("{:?}{:?}", r.request, r.other))
}

/// On which steps a window must end: those of the end's text where the beginning's is finer, else 0. It is measured
/// on the document itself, whatever formats, functions and fields it uses.
fn alignment(meta: &Metadata, tz: Tz) -> i64 {
    if !meta.uses_window() {
        return 0;
    }
    let request = Request::compile(meta);
    // Two instants with nothing round about them.
    let (from, to) = (Ts::from_secs(1_710_386_625), Ts::from_secs(1_710_413_272));
    let Some(base) = rendered(&request, from, to, tz) else { return 0 };
    let step = |vary: &dyn Fn(i64) -> (Ts, Ts)| {
        let same = |step: &&i64| {
            let (from, to) = vary(**step);
            rendered(&request, from, to, tz).as_ref() == Some(&base)
        };
        STEPS.iter().take_while(same).last().copied().unwrap_or(1_000)
    };
    let year = 31_536_000_000;
    // An end that no parameter names needs no step: the source reads up to its own now.
    if rendered(&request, from, to.plus_ms(year), tz).as_ref() == Some(&base) {
        return 0;
    }
    let of_to = step(&|s| (from, align_down(to, s, tz)));
    let of_from = step(&|s| (align_down(from, s, tz), to));
    if of_to > of_from { of_to } else { 0 }
}

#[cfg(test)]
mod tests {
    use heliu_transform::metadata::Side;
    use serde_json::json;

    use super::*;

    const TZ: Tz = chrono_tz::Asia::Shanghai;

    fn of(from: &str, to: &str) -> i64 {
        let doc = json!({"api": "/x", "id": "id", "request": [
            {"field": "a", "type": "string", "value": from}, {"field": "b", "type": "string", "value": to},
            {"field": "page", "type": "string", "value": "{PAGINATION_START_PAGE}"}]});
        alignment(&Metadata::parse(&doc, Side::Source).0, TZ)
    }

    #[test]
    fn a_window_ends_on_the_steps_of_its_end_where_the_beginning_is_finer() {
        let (time, date) = ("{{LAST_SYNC_TIME|datetime}}", "{{LAST_SYNC_TIME|date}}");
        let (until, until_date) = ("{{CURRENT_TIME|datetime}}", "{{CURRENT_TIME|date}}");
        assert_eq!(of(time, until), 0);
        assert_eq!(of(date, until_date), 0);
        assert_eq!(of(date, until), 0);
        assert_eq!(of(time, until_date), 86_400_000);
        // Numbers, functions, and an end that is not named at all.
        assert_eq!(of("{{LAST_SYNC_TIME}}", "{{CURRENT_TIME}}"), 0);
        let minutes = "_function DATE_FORMAT(FROM_UNIXTIME({{CURRENT_TIME}}), '%Y-%m-%d %H:%i')";
        assert_eq!(of("{{LAST_SYNC_TIME}}", minutes), 60_000);
        assert_eq!(of(time, "0"), 0);
        assert_eq!(of("1", "2"), 0);
    }
}
