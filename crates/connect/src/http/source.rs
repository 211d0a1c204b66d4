//! A paged API as a source.

use std::sync::{Arc, Mutex};

use async_trait::async_trait;
use bytes::Bytes;
use chrono_tz::Tz;
use heliu_model::call::Exchange;
use heliu_model::ports::{Page, PageRequest, Prepared, Source, SourceShape};
use heliu_model::walk::{PageAt, Paging};
use heliu_model::{CallKind, Failure, Problem, text};
use heliu_transform::mapping::Request;
use heliu_transform::metadata::Item;
use heliu_transform::{Context, Map, Metadata, Number, Path, Value, records};

use super::account::{Account, Ask, Params, captured};
use super::client::Reply;
use super::detail::{Detail, Details};
use super::outcome::{Reading, Told, cut};
use super::unclear;
use crate::manifest::{AnchorForm, CallScope, ColumnsForm, ReplyForm, Route, Style, Values};

/// A source on an HTTP platform.
pub struct HttpSource {
    pub(super) account: Arc<Account>,
    /// On whose behalf it is asked.
    plan: Arc<str>,
    pub(super) request: Request,
    pub(super) route: Arc<Route>,
    pub(super) reading: Reading,
    shape: SourceShape,
    tz: Tz,
    fields: PageFields,
    anchor: Option<AnchorForm>,
    signs: Signs,
    /// Pages are asked for with parameters.
    paged: bool,
    start: i64,
    /// Columns of positional rows: names in the record, names on the wire.
    columns: Option<(Vec<String>, Vec<String>)>,
    detail: Option<Detail>,
    details: Mutex<Details>,
}

/// Which parameters carry the page.
#[derive(Debug, Default)]
struct PageFields {
    page: Option<String>,
    size: Option<String>,
    offset: Option<String>,
    cursor: Option<String>,
    first_cursor: Option<Value>,
}

/// Where a reply says how it goes on.
#[derive(Debug, Default)]
pub(super) struct Signs {
    total: Vec<Path>,
    total_header: Option<String>,
    pages: Vec<Path>,
    size: Vec<Path>,
    has_next: Vec<Path>,
    next: Vec<Path>,
    link: bool,
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
fn said(meta: &Metadata, key: &str) -> Option<String> {
    meta.raw.get_path(&format!("pagination.{key}")).map(|v| v.in_text()).filter(|s| !s.trim().is_empty())
}

/// Marks a cursor that is the address of the next page.
const LINK: &str = "link:";

/// True when an item's value uses a page variable.
fn uses(item: &Item, names: &[&str]) -> bool {
    item.value.as_ref().is_some_and(|v| names.iter().any(|n| v.in_text().contains(n)))
}

fn plain(v: &toml::Value) -> Value {
    match v {
        toml::Value::Integer(n) => Value::from(*n),
        toml::Value::Boolean(b) => Value::from(*b),
        toml::Value::String(s) => Value::from(s.as_str()),
        other => Value::from(other.to_string()),
    }
}

impl HttpSource {
    /// A source for a document of a plan.
    ///
    /// # Errors
    /// What is wrong with the document for this platform.
    pub fn new(
        account: Arc<Account>,
        plan: &str,
        meta: &Metadata,
        tz: Tz,
    ) -> Result<HttpSource, Vec<Problem>> {
        let route = account.route(&meta.api);
        let api = route.api.as_ref().map(|a| &a.form);
        let paging = &route.paging;
        let own = |names: &[&str]| names.iter().find_map(|n| said(meta, n));
        let pick = |names: &[String], vars: &[&str]| -> Option<String> {
            meta.request
                .iter()
                .chain(&meta.other_request)
                .find(|i| uses(i, vars) || names.contains(&i.field))
                .map(|i| i.field.clone())
        };
        let mut fields = PageFields {
            page: own(&["pageField", "pageParam"])
                .or_else(|| pick(&paging.page, &["PAGINATION_START_PAGE", "PAGE_NO", "$pageNumber"])),
            size: own(&["pageSizeField", "sizeField", "sizeParam"])
                .or_else(|| pick(&paging.size, &["PAGINATION_PAGE_SIZE", "PAGE_SIZE"])),
            offset: own(&["offsetField", "offsetParam"])
                .or_else(|| pick(&paging.offset, &["PAGINATION_START_ROW"])),
            cursor: own(&["cursorField", "cursorParam"])
                .or_else(|| pick(&paging.cursor, &["LAST_ID", "$cursor"])),
            first_cursor: paging.first_cursor.as_ref().map(plain),
        };
        let mut anchor = api.and_then(|a| a.anchor.clone());
        let asked_style = own(&["style", "type"]);
        let style = match (paging.style, asked_style.as_deref()) {
            (Style::Auto, Some("page")) => Style::Page,
            (Style::Auto, Some("offset")) => Style::Offset,
            (Style::Auto, Some("cursor")) => Style::Cursor,
            (Style::Auto, Some("since")) => Style::Since,
            (Style::Auto, Some("link")) => Style::Link,
            (Style::Auto, Some("none")) => Style::None,
            (style, _) => style,
        };
        let walk = match style {
            Style::Page => {
                // The platform pages by itself where the request says nothing.
                fields.page = fields.page.or_else(|| paging.page.first().cloned());
                fields.size = fields.size.or_else(|| paging.size.first().cloned());
                Paging::Numbered
            }
            Style::Offset => {
                fields.offset = fields.offset.or_else(|| paging.offset.first().cloned());
                fields.size = fields.size.or_else(|| paging.size.first().cloned());
                Paging::Numbered
            }
            Style::Cursor => {
                fields.cursor = fields.cursor.or_else(|| paging.cursor.first().cloned());
                fields.size = fields.size.or_else(|| paging.size.first().cloned());
                Paging::Cursor
            }
            Style::Link => Paging::Cursor,
            Style::Since => {
                let param = fields.cursor.take().or_else(|| paging.since.as_ref().map(|s| s.param.clone()));
                let path = own(&["cursorPath", "sincePath"])
                    .or_else(|| paging.since.as_ref().map(|s| s.path.clone()))
                    .unwrap_or_else(|| meta.id.clone());
                anchor = param.map(|param| AnchorForm { param, path, page: None });
                fields.size = fields.size.or_else(|| paging.size.first().cloned());
                Paging::Numbered
            }
            Style::None => Paging::Single,
            Style::Auto if fields.cursor.is_some() => Paging::Cursor,
            Style::Auto
                if (fields.page.is_some() || fields.offset.is_some())
                    && (meta.paged || uses_any_page_variable(meta)) =>
            {
                Paging::Numbered
            }
            // Nothing is asked for by page: if the reply links to a next one, that is followed.
            Style::Auto if route.reply.link_header => Paging::Cursor,
            Style::Auto => Paging::Single,
        };
        let paged = match walk {
            Paging::Numbered | Paging::Anchored => true,
            Paging::Cursor => style == Style::Cursor || meta.paged || uses_any_page_variable(meta),
            Paging::Single => false,
        };
        let walk = if anchor.is_some() && walk == Paging::Numbered { Paging::Anchored } else { walk };
        let most = api.and_then(|a| a.max_page_size);
        let size = meta.page_size.or(most).unwrap_or(100).min(most.unwrap_or(u32::MAX)).max(1);
        let detail = Detail::of(api.and_then(|a| a.detail.as_ref()), meta, &account);
        let shape = SourceShape {
            paging: walk,
            page_size: size,
            max_window_ms: api.and_then(|a| a.max_window_days).map(|d| i64::from(d) * 86_400_000),
            stamp: if detail.is_some() { None } else { api.and_then(|a| a.stamp.clone()) },
            anchor: anchor.as_ref().map(|a| a.path.clone()).filter(|_| walk == Paging::Anchored),
            concurrency: account.concurrency(),
            edges: super::window::edges(api, meta, tz),
        };
        let columns = api.and_then(|a| a.columns.as_ref()).map(|c| columns(meta, c));
        let reading = Reading::new(
            &route.reply,
            api.and_then(|a| a.list.as_deref()),
            Some(meta),
            false,
            account.manifest.timezone,
        );
        Ok(HttpSource {
            request: Request::compile(meta),
            reading,
            shape,
            tz,
            fields,
            anchor: anchor.filter(|_| walk == Paging::Anchored),
            signs: Signs::new(&route.reply, meta),
            paged,
            start: meta.start_page.unwrap_or(paging.start),
            columns,
            detail,
            details: Mutex::default(),
            route,
            plan: Arc::from(plan),
            account,
        })
    }

    fn ask(&self, request: &PageRequest) -> Result<Ask, Failure> {
        let meta = self.request.metadata();
        let size = i64::from(self.shape.page_size);
        let number = match &request.at {
            PageAt::Number(n) => i64::from(*n),
            _ => 1,
        };
        let cursor = match &request.at {
            PageAt::Cursor(c) if !c.is_empty() => Some(c.as_str()),
            _ => None,
        };
        if let Some(link) = cursor.and_then(|c| c.strip_prefix(LINK)) {
            // The link holds all parameters of its page.
            let path = link.to_owned();
            return Ok(Ask::new(CallKind::Fetch, &meta.method, path, Map::new(), self.route.clone()));
        }
        let ctx = Context {
            page: number - 1 + self.start,
            page_size: size,
            start_row: (number - 1) * size,
            last_id: cursor,
            ..Context::new(request.window.from.secs(), request.window.to.secs(), self.tz)
        };
        let mut rendered = self
            .request
            .render(&ctx, None)
            .map_err(|e| Failure::config(&e.code, e.message).at(format!("source.metadata.{}", e.path)))?;
        let path = if self.route.path.contains('{') {
            Request::fill_path(&self.route.path, &mut rendered)
                .map_err(|e| Failure::config(&e.code, e.message).at("source.metadata.api"))?
        } else {
            self.route.path.clone()
        };
        let positional = self.route.api.as_ref().and_then(|a| a.form.columns.as_ref());
        let mut params = match positional {
            None => rendered.request.clone(),
            // Columns named by `request` are no parameters.
            Some(form) => {
                let own = rendered.request.iter().filter(|(k, _)| is_own(form, k));
                own.map(|(k, v)| (k.to_owned(), v.clone())).collect()
            }
        };
        for (k, v) in rendered.other.iter() {
            params.insert(k, v.clone());
        }
        if let (Some((_, wire)), Some(form)) = (&self.columns, positional)
            && params.get(&form.param).is_none_or(Value::is_blank)
        {
            params.insert(form.param.clone(), Value::from(wire.join(",")));
        }
        self.page_params(&mut params, request, &ctx, cursor);
        let mut ask = Ask::new(CallKind::Fetch, &meta.method, path, Map::new(), self.route.clone());
        ask.key = self.wire_name(&meta.id);
        self.defaults(&mut params, &ask)?;
        ask.request = Value::Object(rendered.request);
        ask.other = Value::Object(rendered.other);
        ask.params = Params::Object(params);
        Ok(ask)
    }

    fn page_params(&self, params: &mut Map, request: &PageRequest, ctx: &Context<'_>, cursor: Option<&str>) {
        let size = i64::from(self.shape.page_size);
        if self.paged {
            put(params, self.fields.size.as_deref(), size);
            put(params, self.fields.page.as_deref(), ctx.page);
            put(params, self.fields.offset.as_deref(), ctx.start_row);
        }
        if let (PageAt::Anchor(at), Some(anchor)) = (&request.at, &self.anchor) {
            let first = if at.is_empty() { "0" } else { at };
            let value = Number::from_text(first).map_or_else(|| Value::from(first), Value::Number);
            set(params, &anchor.param, value);
            if let Some(page) = anchor.page {
                put(params, self.fields.page.as_deref(), page);
            }
        }
        if let Some(param) = self.fields.cursor.as_deref().filter(|_| self.shape.paging == Paging::Cursor) {
            match cursor {
                Some(c) => {
                    let numeric = matches!(
                        get(params, param).or(self.fields.first_cursor.as_ref()),
                        Some(Value::Number(_))
                    );
                    let value = match Number::from_text(c).filter(|_| numeric) {
                        Some(n) => Value::Number(n),
                        None => Value::from(c),
                    };
                    set(params, param, value);
                }
                None if get(params, param).is_none_or(Value::is_blank) => {
                    if let Some(first) = &self.fields.first_cursor {
                        set(params, param, first.clone());
                    }
                }
                None => {}
            }
        }
    }

    /// The catalogue's values where the metadata gives none.
    fn defaults(&self, params: &mut Map, ask: &Ask) -> Result<(), Failure> {
        let Some(api) = self.route.api.as_deref() else { return Ok(()) };
        if api.defaults.is_empty() {
            return Ok(());
        }
        let scope = CallScope {
            credentials: self.account.values.clone(),
            key: ask.key.clone(),
            ..CallScope::default()
        };
        let scope = Arc::new(scope);
        let (none, rows) = (Value::Null, Vec::new());
        for (name, shape) in &api.defaults {
            if get(params, name).is_none_or(Value::is_blank) {
                let values = Values { params: &none, request: &none, other: &none, rows: &rows };
                let made = shape.make(&values, &self.account.manifest.templates, &scope);
                set(params, name, made.map_err(|why| self.account.template_failed(&why))?);
            }
        }
        Ok(())
    }

    /// What the record's field is called in the request.
    fn wire_name(&self, field: &str) -> String {
        let found = self.columns.as_ref().and_then(|(names, wire)| {
            let at = names.iter().position(|n| n == field)?;
            wire.get(at).cloned()
        });
        found.unwrap_or_else(|| field.to_owned())
    }

    /// The page of a reply.
    pub(super) fn read(&self, reply: &Reply) -> Result<Page, Failure> {
        let meta = self.request.metadata();
        let mut page = read_page(reply, &self.reading, &self.signs, meta)?;
        if let Some((names, _)) = &self.columns {
            page.elements =
                page.elements.into_iter().map(|e| records::zip_names(&e, names).unwrap_or(e)).collect();
        }
        if self.fields.cursor.is_none() {
            page.next = match reply.header("link").filter(|_| self.signs.link).and_then(next_link) {
                Some(url) if self.shape.paging == Paging::Cursor => {
                    Some(format!("{LINK}{}", self.account.below_base(&url)?))
                }
                _ => None,
            };
        }
        Ok(page)
    }
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
fn next_link(header: &str) -> Option<String> {
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

/// True for a parameter of an interface with positional rows, as opposed to a column.
fn is_own(form: &ColumnsForm, field: &str) -> bool {
    field == form.param || form.own.iter().any(|o| o.eq_ignore_ascii_case(field))
}

/// Names and columns of positional rows: those of `request` items (value: column), else of `response`, else the
/// columns' own.
pub(crate) fn columns(meta: &Metadata, form: &ColumnsForm) -> (Vec<String>, Vec<String>) {
    let param = form.param.as_str();
    let given = meta
        .other_value(param)
        .or_else(|| meta.request.iter().find(|i| i.field == param).and_then(|i| i.value.as_ref()));
    let given: Vec<String> = match given {
        Some(Value::String(s)) => {
            s.split(',').map(|c| c.trim().to_owned()).filter(|c| !c.is_empty()).collect()
        }
        Some(Value::Array(a)) => a.iter().map(Value::in_text).collect(),
        _ => Vec::new(),
    };
    let named = |items: &[Item]| -> (Vec<String>, Vec<String>) {
        let items = items.iter().filter(|i| !is_own(form, &i.field) && i.field != "primaryWriteback");
        items
            .map(|i| {
                let column = i.value.as_ref().map(Value::in_text).filter(|s| !s.is_empty());
                (i.field.clone(), column.unwrap_or_else(|| i.field.clone()))
            })
            .unzip()
    };
    let asked = named(&meta.request);
    let shown = named(&meta.response);
    if given.is_empty() {
        return if asked.0.is_empty() { shown } else { asked };
    }
    match [asked.0, shown.0].into_iter().find(|names| names.len() == given.len()) {
        Some(names) => (names, given),
        None => (given.iter().map(|c| c.replace('.', "_")).collect(), given),
    }
}

fn uses_any_page_variable(meta: &Metadata) -> bool {
    let names = ["PAGINATION_", "PAGE_NO", "PAGE_SIZE", "$pageNumber"];
    meta.request.iter().chain(&meta.other_request).any(|i| uses(i, &names))
}

fn get<'a>(params: &'a Map, field: &str) -> Option<&'a Value> {
    let mut segs = field.split('.');
    let mut at = params.get(segs.next()?)?;
    for seg in segs {
        at = at.as_object()?.get(seg)?;
    }
    Some(at)
}

/// Sets a parameter; dots lead into objects, which are made.
fn set(params: &mut Map, field: &str, value: Value) {
    let Some((head, rest)) = field.split_once('.') else {
        params.insert(field, value);
        return;
    };
    if !matches!(params.get(head), Some(Value::Object(_))) {
        params.insert(head, Value::Object(Map::new()));
    }
    if let Some(Value::Object(inner)) = params.get_mut(head) {
        set(inner, rest, value);
    }
}

/// Sets a page parameter, keeping text where the author wrote text.
fn put(params: &mut Map, field: Option<&str>, n: i64) {
    let Some(field) = field else { return };
    let value = match get(params, field) {
        Some(Value::String(_)) => Value::from(n.to_string()),
        _ => Value::from(n),
    };
    set(params, field, value);
}

#[async_trait]
impl Source for HttpSource {
    fn shape(&self) -> &SourceShape {
        &self.shape
    }

    async fn fetch(&self, request: &PageRequest) -> Exchange<Page> {
        let mut ask = match self.ask(request) {
            Ok(ask) => ask,
            Err(f) => return Exchange { calls: Vec::new(), result: Err(f) },
        };
        ask.plan = self.plan.clone();
        let exchange = self.account.ask(&ask, &self.reading).await;
        let mut calls = exchange.calls;
        let (mut reply, told) = match exchange.result {
            Ok(found) => found,
            Err(f) => return Exchange { calls, result: Err(f) },
        };
        let renews = self.route.api.as_ref().is_some_and(|a| a.form.renews_token);
        if renews {
            if let Err(f) = self.account.keep_reply(&reply, told, &mut calls).await {
                return Exchange { calls, result: Err(f) };
            }
            // Tokens are no records: what is stored is what may be seen.
            let seen: Option<Bytes> = captured(&calls).cloned();
            reply.replace(seen.unwrap_or_default());
        }
        let page = match told {
            // Nothing was done and nothing had to be: no records, and no alarm.
            Told::StillValid => Ok(Page { body: reply.body.clone(), ..Page::default() }),
            Told::Fine => self.read(&reply),
        };
        let page = page.map(|mut page| {
            // A call that was made for the tokens in its reply has brought what it was made for.
            page.unclear = page.unclear.filter(|_| !renews);
            // As it may be seen.
            page.unclear = page.unclear.and_then(|_| captured(&calls)).map(|body| unclear::why(body));
            page
        });
        let result = match (page, &self.detail) {
            (Ok(page), Some(detail)) => {
                detail.read(&self.account, &self.plan, page, &self.details, &mut calls).await
            }
            (page, _) => page,
        };
        if let Some(last) = calls.last_mut() {
            match &result {
                Ok(page) => {
                    last.rows = u32::try_from(page.elements.len()).unwrap_or(u32::MAX);
                    // So that the reply is found among the calls.
                    let why = page.unclear.clone().map(|why| Failure::transient("HL-3015", why));
                    last.failure = last.failure.take().or(why);
                }
                Err(f) if last.failure.is_none() => last.failure = Some(f.clone()),
                Err(_) => {}
            }
        }
        Exchange { calls, result }
    }

    fn clock_behind_ms(&self) -> i64 {
        self.account.skew.behind_ms()
    }

    fn prepare(&self, request: &PageRequest) -> Result<Prepared, Failure> {
        self.account.preview(&self.ask(request)?)
    }
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
