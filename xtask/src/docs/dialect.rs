//! The dialect: keys, variables, pipes, parsers, formats, conditions, functions.

use heliu_transform::Lang;
use heliu_transform::reference::{
    Entry, FORMATS, FUNCTIONS, ITEM_KEYS, KEYS, Key, LOGICS, PARSERS, PIPES, RECORD, VARIABLES,
};

use super::page::{Page, page, pick, table};

fn code(s: &str) -> String {
    let fence = if s.contains('`') { "``" } else { "`" };
    format!("{fence}{}{fence}", s.replace('\n', "\\n"))
}

fn entries(lang: Lang, list: &[Entry]) -> String {
    let head = [
        pick(lang, ("name", "名称")),
        pick(lang, ("what it does", "作用")),
        pick(lang, ("example", "示例")),
        pick(lang, ("gives", "结果")),
    ];
    let rows: Vec<Vec<String>> = list
        .iter()
        .map(|e| vec![code(e.name), pick(lang, e.about).to_owned(), code(e.example), code(e.result)])
        .collect();
    table(&head, &rows)
}

/// The record of the examples, below the table that uses it.
fn record(lang: Lang) -> String {
    let words = pick(
        lang,
        (
            "Examples read this record, with LAST_SYNC_TIME 2024-03-14 16:00:00 and CURRENT_TIME 17:00:00 in Asia/Shanghai; each runs as a test.",
            "示例读取以下数据,LAST_SYNC_TIME 为 2024-03-14 16:00:00,CURRENT_TIME 为 17:00:00(Asia/Shanghai);每个示例都作为测试运行。",
        ),
    );
    format!("{words}\n\n```json\n{RECORD}\n```\n\n")
}

fn keys_table(lang: Lang, list: &[Key], sides: bool) -> String {
    let side = |s: &str| match (s, lang) {
        ("both", Lang::Zh) => "两侧".to_owned(),
        ("source", Lang::Zh) => "源端".to_owned(),
        ("target", Lang::Zh) => "目标端".to_owned(),
        (s, _) => s.to_owned(),
    };
    let mut head = vec![pick(lang, ("key", "键"))];
    if sides {
        head.push(pick(lang, ("side", "所在侧")));
    }
    head.push(pick(lang, ("meaning", "含义")));
    let rows: Vec<Vec<String>> = list
        .iter()
        .map(|k| {
            let mut row = vec![code(k.name)];
            if sides {
                row.push(side(k.side));
            }
            row.push(pick(lang, k.about).to_owned());
            row
        })
        .collect();
    table(&head, &rows)
}

/// Keys of documents and items.
pub fn keys(lang: Lang) -> Page {
    let body = format!(
        "## {}\n\n{}\n## {}\n\n{}",
        pick(lang, ("Keys of a document", "文档的键")),
        keys_table(lang, KEYS, true),
        pick(lang, ("Keys of an item", "字段项的键")),
        keys_table(lang, ITEM_KEYS, false)
    );
    page(
        lang,
        "metadata",
        ("Metadata keys", "元数据的键"),
        (
            "What a metadata document may say. Other keys are kept, reported by `heliu check`, and have no effect.",
            "元数据文档可用的键。其他键会保留,由 `heliu check` 提示,但不起作用。",
        ),
        &body,
    )
}

/// Variables, pipes, parsers, formats, conditions.
pub fn values(lang: Lang) -> Page {
    let sections: [(&str, &[Entry]); 5] = [
        (pick(lang, ("Variables", "内置变量")), VARIABLES),
        (pick(lang, ("Pipe formats", "管道格式")), PIPES),
        (pick(lang, ("Parsers", "解析器")), PARSERS),
        (pick(lang, ("Formats of formatResponse", "formatResponse 的格式")), FORMATS),
        (pick(lang, ("Logics of condition", "condition 的逻辑")), LOGICS),
    ];
    let mut body = record(lang);
    for (title, list) in sections {
        body.push_str(&format!("## {title}\n\n{}\n", entries(lang, list)));
    }
    page(
        lang,
        "values",
        ("Values", "取值"),
        (
            "Variables, pipe formats, parsers, formats and conditions, each with an example.",
            "内置变量、管道格式、解析器、格式与条件,均附示例。",
        ),
        &body,
    )
}

/// Functions.
pub fn functions(lang: Lang) -> Page {
    let body = format!("{}{}", record(lang), entries(lang, FUNCTIONS));
    page(
        lang,
        "functions",
        ("Functions", "函数"),
        (
            "What `_function` knows: one MySQL select expression over references.",
            "`_function` 支持的函数:对引用求值的 MySQL 查询表达式。",
        ),
        &body,
    )
}
