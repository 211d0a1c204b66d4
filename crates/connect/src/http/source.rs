//! A paged API as a source.

use std::sync::{Arc, Mutex};

use async_trait::async_trait;
use bytes::Bytes;
use chrono_tz::Tz;
use heliu_model::call::Exchange;
use heliu_model::ports::{Page, PageRequest, Prepared, Source, SourceShape};
use heliu_model::walk::{PageAt, Paging};
use heliu_model::{CallKind, Failure, Problem};
use heliu_transform::mapping::Request;
use heliu_transform::metadata::Item;
use heliu_transform::{Context, Map, Metadata, Number, Value, records};

use super::account::{Account, Ask, Params, captured};
use super::client::Reply;
use super::columns::{columns, is_own};
use super::detail::{Detail, Details};
use super::outcome::{Reading, Told};
use super::parameters::{get, put, set};
use super::signs::{Signs, next_link, read_page, said};
use super::unclear;
use crate::manifest::{AnchorForm, CallScope, Route, Style, Values};

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
        if self.detail.is_some() {
            Detail::leave_out(&mut rendered.request);
            Detail::leave_out(&mut rendered.other);
        }
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

fn uses_any_page_variable(meta: &Metadata) -> bool {
    let names = ["PAGINATION_", "PAGE_NO", "PAGE_SIZE", "$pageNumber"];
    meta.request.iter().chain(&meta.other_request).any(|i| uses(i, &names))
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
