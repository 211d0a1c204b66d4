//! What a reply says about its page: where its records are, how many there are, and how it goes on.

use heliu_model::ports::Page;
use heliu_model::{Failure, text};
use heliu_transform::{Metadata, Path, records};

use super::client::Reply;
use super::outcome::{Reading, cut};
use super::unclear;
use crate::manifest::ReplyForm;

/// Where a reply says how it goes on.
#[derive(Debug, Default)]
pub(super) struct Signs {
    total: Vec<Path>,
    total_header: Option<String>,
    pages: Vec<Path>,
    size: Vec<Path>,
    has_next: Vec<Path>,
    next: Vec<Path>,
    pub(super) link: bool,
}

impl Signs {
    pub(super) fn new(form: &ReplyForm, meta: &Metadata) -> Self {
        // What the document says comes first.
        let own = |keys: &[&str], places: &[String]| -> Vec<Path> {
            keys.iter()
                .filter_map(|k| said(meta, k))
                .chain(places.iter().cloned())
                .map(|p| Path::with_slashes(&p))
                .collect()
        };
        let next = meta.reply_key("pagekey").or_else(|| meta.reply_key("cursorkey")).map(str::to_owned);
        let mut signs = Signs {
            total: own(&["totalField"], &form.total),
            total_header: form.total_header.clone(),
            pages: own(&[], &form.pages),
            size: own(&[], &form.size),
            has_next: own(&["hasNextField"], &form.has_next),
            next: own(&["cursorPath"], &form.next),
            link: form.link_header,
        };
        if let Some(key) = next.filter(|k| !k.trim().is_empty()) {
            signs.next.insert(0, Path::with_slashes(&key));
        }
        signs
    }
}

/// A setting of `pagination`.
pub(super) fn said(meta: &Metadata, key: &str) -> Option<String> {
    meta.raw.get_path(&format!("pagination.{key}")).map(|v| v.in_text()).filter(|s| !s.trim().is_empty())
}

/// What a reply says about its page and the records in it.
pub(super) fn read_page(
    reply: &Reply,
    reading: &Reading,
    signs: &Signs,
    meta: &Metadata,
) -> Result<Page, Failure> {
    if reply.body.is_empty() {
        // Only a reply that says by its status that it has no content comes so far.
        return Ok(Page::default());
    }
    let outline = reply.outline().map_err(|e| cut(&e.text().en))?;
    let found = records::find_records(outline, reading.list.as_ref(), &reading.lists, meta).map_err(|e| {
        let place = match e {
            records::CutError::NoList(place) | records::CutError::NotJson(place) => place,
        };
        Failure::config(
            "HL-3012",
            text!("`{place}` of the reply holds no records", "响应的 `{place}` 处不是数据"),
        )
        .hint(text!(
            "name the list's place in otherResponse as `DataKey`",
            "请在 otherResponse 中用 `DataKey` 指明列表位置"
        ))
    })?;
    let number = |places: &[Path]| {
        places.iter().filter_map(|p| outline.text(p)).find_map(|s| s.trim().parse::<u64>().ok())
    };
    let mut page = Page { body: reply.body.clone(), ..Page::default() };
    let has_next = signs.has_next.iter().filter_map(|p| outline.text(p)).find_map(|s| {
        match s.trim().to_ascii_lowercase().as_str() {
            "true" | "1" | "yes" => Some(true),
            "false" | "0" | "no" => Some(false),
            _ => None,
        }
    });
    let nothing =
        number(&signs.total) == Some(0) || number(&signs.pages) == Some(0) || has_next == Some(false);
    if !nothing && unclear::unclear(outline, found.as_ref(), reading, meta) {
        page.unclear = Some(unclear::why(&reply.body));
        return Ok(page);
    }
    let listed = found.as_ref().is_none_or(|f| f.listed);
    match found {
        Some(f) => page.elements = f.elements,
        // Some platforms leave an empty list out; where the total says so, that is no riddle.
        None if number(&signs.total) == Some(0) => {}
        None => page.warnings.push(text!(
            "the reply holds no list of records; if it has one, name its place in otherResponse as `DataKey`",
            "响应中没有数据列表;如果有,请在 otherResponse 中用 `DataKey` 指明位置"
        )),
    }
    if !listed {
        // The reply is one record: a total in it is a sum of money rather than a number of records.
        return Ok(page);
    }
    let header = signs.total_header.as_deref().and_then(|h| reply.header(h));
    page.total = header.and_then(|v| v.trim().parse().ok()).or_else(|| number(&signs.total));
    page.pages = number(&signs.pages);
    page.size = number(&signs.size);
    page.has_next = has_next;
    if signs.link
        && page.has_next.is_none()
        && let Some(link) = reply.header("link")
    {
        page.has_next = Some(next_link(link).is_some());
    }
    page.next = signs.next.iter().find_map(|p| outline.text(p));
    Ok(page)
}

/// The target of `rel="next"` in a Link header (RFC 8288).
pub(super) fn next_link(header: &str) -> Option<String> {
    let mut rest = header;
    while let Some((_, after)) = rest.split_once('<') {
        let (url, after) = after.split_once('>')?;
        // Parameters end where the next link begins.
        let end = after.find(",<").or_else(|| after.find(", <")).unwrap_or(after.len());
        let params = after.get(..end).unwrap_or("");
        let is_next = params.split(';').any(|p| {
            let Some((name, value)) = p.split_once('=') else { return false };
            name.trim().eq_ignore_ascii_case("rel")
                && value.trim().trim_matches('"').split_whitespace().any(|r| r.eq_ignore_ascii_case("next"))
        });
        if is_next {
            return Some(url.trim().to_owned());
        }
        rest = after.get(end..).unwrap_or("");
    }
    None
}

#[cfg(test)]
mod tests {
    use super::next_link;

    #[test]
    fn links_of_rfc_8288() {
        let find = |h: &str| next_link(h);
        assert_eq!(
            find(
                r#"<http://h/a?_page=1>; rel="first", <http://h/a?_page=2&x=1,2>; rel="next", <http://h/a?_page=9>; rel="last""#
            ),
            Some("http://h/a?_page=2&x=1,2".into())
        );
        assert_eq!(find("</a?after=7>; rel=next"), Some("/a?after=7".into()));
        assert_eq!(find(r#"<u>; title="x"; REL="prev next""#), Some("u".into()));
        assert_eq!(find(r#"<http://h/a>; rel="last""#), None);
        assert_eq!(find("nonsense"), None);
    }
}
