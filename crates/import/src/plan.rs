//! From the documents of a text to plans.

use heliu_model::{Problem, Text, text};
use heliu_transform::Side;
use serde_json::{Map, Value, json};

use crate::aliases;
use crate::blocks::{Block, Found, blocks};
use crate::documents::{Contents, Doc, contents};
use crate::fragments::fragments;
use crate::known::{Guess, Known};
use crate::repair::{Kind, Note, Repair, located};
use crate::source::{Source, decode, looks_like_markup, readings};

/// How a text is to be imported.
#[derive(Debug, Clone, Default)]
pub struct Options {
    /// Name of the plan for people.
    pub name: String,
    /// Source connector, if it is given.
    pub source: Option<String>,
    /// Target connector, if it is given.
    pub target: Option<String>,
    /// Platforms and connectors.
    pub known: Known,
}

/// A plan that a text holds.
#[derive(Debug, Clone)]
pub struct Draft {
    /// The plan file's tree.
    pub plan: Value,
    /// Everything that was mended, in the order of the text.
    pub repairs: Vec<Repair>,
    /// What a person should look at.
    pub problems: Vec<Problem>,
    /// What else was taken from the text.
    pub remarks: Vec<Text>,
    /// The documents as they were read: which sides the text held.
    pub sides: Vec<Side>,
}

/// A reading of the text with what it holds.
struct Reading {
    source: Source,
    found: Found,
    contents: Contents,
}

impl Reading {
    fn new(source: Source) -> Reading {
        let mut found = blocks(&source);
        let mut known = contents(&found.blocks);
        if known.docs.is_empty() && known.plans.is_empty() {
            // No document as a whole; what people paste may be a part of one.
            let parts = fragments(&source, &found.blocks, &[]);
            found.blocks.extend(parts);
            known = contents(&found.blocks);
        } else if known.plans.is_empty() && known.one_sided() {
            // The other side may have lost the braces around it; a part without its interface is a quotation.
            let whole: Vec<usize> = known.docs.iter().map(|d| d.block).collect();
            let mut parts = fragments(&source, &found.blocks, &whole);
            parts
                .retain(|p| p.value.get("api").and_then(Value::as_str).is_some_and(|s| !s.trim().is_empty()));
            if !parts.is_empty() {
                found.blocks.extend(parts);
                found.blocks.sort_by_key(|b| b.from);
                known = contents(&found.blocks);
            }
        }
        let contents = known;
        Reading { source, found, contents }
    }

    /// The text is strict JSON with metadata in it, and nothing around it comes from a web page.
    fn certain(&self) -> bool {
        let known = !self.contents.docs.is_empty() || !self.contents.plans.is_empty();
        known && self.found.strict(&self.source.text, |around| !looks_like_markup(around))
    }

    /// More documents are better, then fewer losses, then fewer repairs.
    fn rank(&self) -> (usize, std::cmp::Reverse<usize>, std::cmp::Reverse<usize>) {
        let used = |n: usize| {
            self.contents.docs.iter().any(|d| d.block == n) || self.contents.plans.iter().any(|p| p.0 == n)
        };
        let notes =
            self.found.blocks.iter().enumerate().filter(|(n, _)| used(*n)).flat_map(|(_, b)| &b.notes);
        let (mut lost, mut all) = (0, 0);
        for n in notes {
            lost += usize::from(n.kind.loses());
            all += 1;
        }
        (
            self.contents.docs.len() + 2 * self.contents.plans.len(),
            std::cmp::Reverse(lost),
            std::cmp::Reverse(all),
        )
    }
}

/// Imports a text: every plan that it holds, with what was mended.
///
/// # Errors
/// The file is too large, no text, or holds no metadata.
pub fn read_text(bytes: &[u8], options: &Options) -> Result<Vec<Draft>, Vec<Problem>> {
    let (text, encoding) = decode(bytes).map_err(|p| vec![p])?;
    let mut best: Option<Reading> = None;
    for source in readings(&text) {
        let reading = Reading::new(source);
        // Strict JSON says what it says: `&quot;` in a text of it is no mark of a web page.
        if reading.certain() {
            best = Some(reading);
            break;
        }
        if best.as_ref().is_none_or(|b| reading.rank() > b.rank()) {
            best = Some(reading);
        }
    }
    let Some(reading) = best else { return Err(vec![nothing(&Contents::default())]) };
    let mut importer = Importer { options, text: &text, encoding, reading: &reading };
    let drafts = importer.drafts();
    if !drafts.is_empty() {
        return Ok(drafts);
    }
    let mut problems = vec![nothing(&reading.contents)];
    if let Some(at) = reading.found.tangled {
        problems.insert(0, tangled(&text, reading.source.origin(at)));
    }
    Err(problems)
}

fn nothing(contents: &Contents) -> Problem {
    let p = Problem::error("HL-1502", "", text!("the text holds no metadata", "文本中没有元数据"));
    if contents.loose_items > 0 {
        return p.hint(text!(
            "there are items with `field`, but not the document around them: an object with `api`, `method` and `request`",
            "有含 `field` 的字段项,但缺少外层文档:含 `api`、`method`、`request` 的对象"
        ));
    }
    p.hint(text!(
        "metadata is a JSON object with at least `api`, such as {{\"api\": \"/open/shops/query\", \"id\": \"shop_id\", …}}",
        "元数据是至少含 `api` 的 JSON 对象,例如 {{\"api\": \"/open/shops/query\", \"id\": \"shop_id\", …}}"
    ))
}

/// A document whose items are there, and not its interface.
fn no_interface(key: &str) -> Problem {
    let message = text!(
        "only a part of the document is there: its interface is missing",
        "只有文档的一部分:缺少接口名称"
    );
    Problem::error("HL-1514", format!("{key}.metadata.api"), message).hint(text!(
        "add `api` and `method`, and for a source `id` and `number`",
        "请补上 `api` 与 `method`,来源端还需 `id` 与 `number`"
    ))
}

fn tangled(text: &str, at: usize) -> Problem {
    let line = text.get(..at).unwrap_or(text).matches('\n').count() + 1;
    Problem::error(
        "HL-1513",
        "",
        text!(
            "the text is too tangled to be followed beyond line {line}",
            "第 {line} 行之后的文本过于混乱,无法识别"
        ),
    )
    .hint(text!("cut out the part that holds the metadata", "请只保留含元数据的部分"))
}

/// Documents of one plan.
#[derive(Default)]
struct Pair<'a> {
    source: Option<&'a Doc>,
    target: Option<&'a Doc>,
    problems: Vec<Problem>,
}

struct Importer<'a> {
    options: &'a Options,
    text: &'a str,
    encoding: Vec<Note>,
    reading: &'a Reading,
}

impl Importer<'_> {
    fn drafts(&mut self) -> Vec<Draft> {
        let mut out: Vec<Draft> = Vec::new();
        let contents = &self.reading.contents;
        for (block, plan) in &contents.plans {
            let repairs = self.repairs(&[*block], Vec::new());
            out.push(Draft {
                plan: Value::Object(plan.clone()),
                repairs,
                problems: Vec::new(),
                remarks: Vec::new(),
                sides: vec![Side::Source, Side::Target],
            });
        }
        for pair in pairs(&contents.docs) {
            out.push(self.draft(pair));
        }
        // Settings belong to the text's plan; of several plans nobody can tell to which.
        if let [one] = out.as_mut_slice() {
            self.settings(one);
        }
        out
    }

    fn draft(&self, pair: Pair) -> Draft {
        let mut problems = pair.problems;
        let mut notes = Vec::new();
        let mut tree = Map::new();
        tree.insert("name".to_owned(), self.options.name.clone().into());
        let mut sides = Vec::new();
        let mut used = Vec::new();
        for (key, side, doc) in [("source", Side::Source, pair.source), ("target", Side::Target, pair.target)]
        {
            let given = if side == Side::Source { &self.options.source } else { &self.options.target };
            let (metadata, connector) = match doc {
                Some(doc) => {
                    sides.push(side);
                    used.push(doc.block);
                    let mut map = doc.value.clone();
                    let (changed, found) = aliases::normalise(&mut map);
                    problems.extend(found.into_iter().map(|p| p.under(&format!("{key}.metadata"))));
                    if let Some(block) = self.reading.found.blocks.get(doc.block) {
                        notes.extend(changed.into_iter().map(|(word, done)| self.alias(block, word, done)));
                    }
                    let api = map.get("api").and_then(Value::as_str).unwrap_or("").to_owned();
                    if api.trim().is_empty()
                        && self.reading.found.blocks.get(doc.block).is_some_and(|b| b.fragment)
                    {
                        problems.push(no_interface(key));
                    }
                    let beside = if side == Side::Source { pair.target } else { pair.source };
                    let beside = beside.and_then(|d| d.value.get("api")).and_then(Value::as_str);
                    let other = beside.and_then(|api| self.options.known.platform_of(api));
                    let connector = self.connector(key, side, &api, given.as_deref(), other, &mut problems);
                    (Value::Object(map), connector)
                }
                None if side == Side::Source => self.no_source(given.as_deref(), &mut problems),
                None => self.no_target(given.as_deref(), &mut problems),
            };
            tree.insert(key.to_owned(), json!({"connector": connector, "metadata": metadata}));
        }
        let repairs = self.repairs(&used, notes);
        Draft { plan: Value::Object(tree), repairs, problems, remarks: Vec::new(), sides }
    }

    fn connector(
        &self,
        key: &str,
        side: Side,
        api: &str,
        given: Option<&str>,
        other: Option<&str>,
        problems: &mut Vec<Problem>,
    ) -> String {
        if let Some(name) = given {
            return name.to_owned();
        }
        let (name, message) = match self.options.known.guess(api, side, self.text, other) {
            Guess::Sure(name) => return name,
            Guess::Alike(name) => {
                let message = text!(
                    "the connector `{name}` is a guess: that platform's interfaces begin like `{api}`",
                    "连接器 `{name}` 是推测:该平台的接口与 `{api}` 开头相同"
                );
                (name, message)
            }
            Guess::Mentioned(name) => {
                let message = text!(
                    "the connector `{name}` is a guess: the text speaks of that platform",
                    "连接器 `{name}` 是推测:原文提到该平台"
                );
                (name, message)
            }
            Guess::None if api.is_empty() => {
                let message = text!(
                    "nothing tells which connector the {key} uses; `{key}` stands for it",
                    "无法得知 {key} 端使用哪个连接器,暂写为 `{key}`"
                );
                (key.to_owned(), message)
            }
            Guess::None => {
                let message = text!(
                    "nothing tells which connector `{api}` is called on; `{key}` stands for it",
                    "无法得知 `{api}` 应使用哪个连接器,暂写为 `{key}`"
                );
                (key.to_owned(), message)
            }
        };
        problems.push(Problem::warning("HL-1505", format!("{key}.connector"), message).hint(text!(
            "name it with `--{key} CONNECTOR`, or in the plan",
            "请用 `--{key} 连接器` 指定,或在方案中修改"
        )));
        name
    }

    /// A source to be filled in; with the interface that the text mentions, if it is just one.
    fn no_source(&self, given: Option<&str>, problems: &mut Vec<Problem>) -> (Value, String) {
        let mentioned = self.options.known.mentioned(self.text);
        let note = "placeholder: the text holds no source metadata / 占位:原文没有源端元数据";
        let message = text!("the text holds no source metadata", "原文没有源端元数据");
        let at = "source.metadata";
        if let [one] = mentioned.as_slice() {
            let (path, id) = (one.path.clone(), one.id.clone().unwrap_or_default());
            problems.push(Problem::warning("HL-1504", at, message).hint(text!(
                "it mentions `{path}`, which is written in its place with the key `{id}` of the catalogue: check it",
                "原文提到 `{path}`,已据接口目录以 `{id}` 为主键填入,请核对"
            )));
            let mut metadata = json!({
                "api": path, "effect": "QUERY", "method": "POST", "number": id, "id": id, "idCheck": true,
                "request": [], "describe": note,
            });
            if let (Some(n), Value::Object(map)) = (one.page_size, &mut metadata) {
                map.insert("pagination".to_owned(), json!({"pageSize": n}));
            }
            let connector = match given {
                Some(c) => c.to_owned(),
                None => match self.options.known.guess(&one.path, Side::Source, self.text, None) {
                    Guess::Sure(c) | Guess::Mentioned(c) | Guess::Alike(c) => c,
                    Guess::None => "source".to_owned(),
                },
            };
            return (metadata, connector);
        }
        let mut problem = Problem::error("HL-1504", at, message);
        problem = if mentioned.is_empty() {
            problem.hint(text!(
                "paste it into the plan: `api`, `id` and `request` at least",
                "请在方案中补上:至少需要 `api`、`id`、`request`"
            ))
        } else {
            let list = mentioned.iter().map(|i| i.path.as_str()).collect::<Vec<_>>().join(", ");
            problem.hint(text!(
                "it mentions {list}: choose one, and give its `id` and `request`",
                "原文提到 {list}:请选定其一,并填写 `id` 与 `request`"
            ))
        };
        problems.push(problem);
        let metadata = json!({
            "api": "", "effect": "QUERY", "method": "POST", "number": "", "id": "", "idCheck": true, "request": [],
            "describe": note,
        });
        (metadata, given.unwrap_or("source").to_owned())
    }

    /// The no-op write: what is read is kept in the ledger, and nothing is sent.
    fn no_target(&self, given: Option<&str>, problems: &mut Vec<Problem>) -> (Value, String) {
        problems.push(
            Problem::warning(
                "HL-1504",
                "target.metadata",
                text!(
                    "the text holds no target metadata; the no-op write stands in its place",
                    "原文没有目标端元数据,已填入空操作"
                ),
            )
            .hint(text!(
                "records are read and kept, nothing is written; paste the target's metadata to change that",
                "数据会读取并保存,但不写出;如需写入,请填写目标端元数据"
            )),
        );
        let metadata = json!({
            "api": "写入空操作", "effect": "EXECUTE", "method": "POST", "idCheck": true,
            "describe": "placeholder: the text holds no target metadata / 占位:原文没有目标端元数据",
        });
        let connector = given.map_or_else(
            || match self.options.known.guess("写入空操作", Side::Target, self.text, None) {
                Guess::Sure(c) => c,
                _ => "heliu".to_owned(),
            },
            str::to_owned,
        );
        (metadata, connector)
    }

    fn settings(&self, draft: &mut Draft) {
        let Value::Object(tree) = &mut draft.plan else { return };
        let mut more = Vec::new();
        for (key, value, block) in &self.reading.contents.settings {
            if tree.contains_key(key) {
                continue;
            }
            let line = self.reading.found.blocks.get(*block).map_or(1, |b| self.line(b.from));
            draft.remarks.push(text!(
                "`{key}` of the plan was taken from the object in line {line}",
                "方案的 `{key}` 取自第 {line} 行的对象"
            ));
            tree.insert(key.clone(), value.clone());
            more.push(*block);
        }
        more.dedup();
        draft
            .repairs
            .extend(self.repairs(&more, Vec::new()).into_iter().filter(|r| r.kind != Kind::Encoding));
        draft.repairs.sort_by_key(|r| (r.line == 0, r.line, r.column));
    }

    fn line(&self, at: usize) -> usize {
        let at = self.reading.source.origin(at);
        self.text.get(..at).unwrap_or(self.text).matches('\n').count() + 1
    }

    fn alias(&self, block: &Block, word: String, done: Text) -> Note {
        let inside = self.reading.source.text.get(block.from..block.to).unwrap_or("");
        let at = block.from + inside.find(&word).unwrap_or(0);
        Note { at, kind: Kind::Alias, found: word, done, count: 1 }
    }

    /// The repairs of some blocks, in the order of the file.
    fn repairs(&self, used: &[usize], more: Vec<Note>) -> Vec<Repair> {
        let mut notes: Vec<(usize, Note)> = self.encoding.iter().map(|n| (0, n.clone())).collect();
        let mut seen = Vec::new();
        for n in used {
            if seen.contains(n) {
                continue;
            }
            seen.push(*n);
            if let Some(block) = self.reading.found.blocks.get(*n) {
                notes.extend(block.notes.iter().map(|n| (self.reading.source.origin(n.at), n.clone())));
            }
        }
        notes.extend(more.into_iter().map(|n| (self.reading.source.origin(n.at), n)));
        located(self.text, notes)
    }
}

/// Documents in their order form pairs: the next of a side that is taken begins a new plan, unless it is the same
/// document printed again.
fn pairs(docs: &[Doc]) -> Vec<Pair<'_>> {
    let mut out: Vec<Pair> = Vec::new();
    for doc in docs {
        let side = doc.side.unwrap_or(match out.last() {
            Some(p) if p.source.is_some() && p.target.is_none() => Side::Target,
            // A sample request behind the document that it is a sample of.
            Some(p) if p.target.is_some_and(|t| t.value.get("api") == doc.value.get("api")) => Side::Target,
            _ => Side::Source,
        });
        if printed_before(&mut out, doc, side) {
            continue;
        }
        let free = out.last().is_some_and(|p| match side {
            Side::Source => p.source.is_none(),
            Side::Target => p.target.is_none(),
        });
        if !free {
            out.push(Pair::default());
        }
        if let Some(p) = out.last_mut() {
            match side {
                Side::Source => p.source = Some(doc),
                Side::Target => p.target = Some(doc),
            }
        }
    }
    out
}

/// True when the last plan has this document already: an article that shows it twice. The fuller one is kept.
fn printed_before<'a>(out: &mut [Pair<'a>], doc: &'a Doc, side: Side) -> bool {
    let Some(pair) = out.last_mut() else { return false };
    let slot = if side == Side::Source { &mut pair.source } else { &mut pair.target };
    let Some(old) = *slot else { return false };
    if old.value == doc.value {
        return true;
    }
    if old.value.get("api") != doc.value.get("api") || !alike(&old.value, &doc.value) {
        return false;
    }
    if size(&doc.value) > size(&old.value) {
        *slot = Some(doc);
    }
    let api = doc.value.get("api").and_then(Value::as_str).unwrap_or("").to_owned();
    let key = if side == Side::Source { "source.metadata" } else { "target.metadata" };
    pair.problems.push(Problem::warning(
        "HL-1506",
        key,
        text!(
            "the text prints `{api}` twice, and not the same; the fuller one was taken",
            "原文两次给出 `{api}` 且内容不同,已采用较完整的一份"
        ),
    ));
    true
}

/// The same interface with mostly the same fields.
fn alike(a: &Map<String, Value>, b: &Map<String, Value>) -> bool {
    let fields = |m: &Map<String, Value>| -> Vec<String> {
        let list = m.get("request").and_then(Value::as_array).map_or(&[][..], Vec::as_slice);
        list.iter().filter_map(|i| i.get("field")?.as_str().map(str::to_owned)).collect()
    };
    let (x, y) = (fields(a), fields(b));
    let (small, large) = if x.len() < y.len() { (&x, &y) } else { (&y, &x) };
    small.iter().filter(|f| large.contains(f)).count() * 2 >= small.len()
}

fn size(map: &Map<String, Value>) -> usize {
    fn of(v: &Value) -> usize {
        match v {
            Value::Object(m) => 1 + m.values().map(of).sum::<usize>(),
            Value::Array(a) => 1 + a.iter().map(of).sum::<usize>(),
            _ => 1,
        }
    }
    map.values().map(of).sum()
}
