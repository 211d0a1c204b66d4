//! `explain`

use heliu_model::{Failure, Lang, codes, text};
use serde_json::json;

use crate::output::{Done, Out};

/// `heliu explain`
pub fn explain(out: &Out, code: &str) -> Done {
    let Some(page) = codes::find(code) else {
        let ids: Vec<&str> = codes::all().map(|c| c.id).collect();
        let near = heliu_transform::nearest(&code.to_ascii_uppercase(), ids.iter().copied())
            .filter(|_| code.to_ascii_uppercase().starts_with("HL-"));
        let failure = Failure::config("HL-8018", text!("there is no code `{code}`", "没有代码 `{code}`"));
        return Err(match near {
            Some(near) => failure.hint(text!("did you mean `{near}`?", "是否为 `{near}`?")),
            None => failure,
        }
        .into());
    };
    let zh = out.lang == Lang::Zh;
    let pick = |t: (&'static str, &'static str)| if zh { t.1 } else { t.0 };
    if out.json {
        out.value(&json!({"code": page.id, "title": pick(page.title), "cause": pick(page.cause), "todo": pick(page.todo)}));
        return Ok(0);
    }
    out.line(&format!("{}  {}", page.id, pick(page.title)));
    out.line("");
    out.line(&format!("{}{}", if zh { "原因:" } else { "why:  " }, pick(page.cause)));
    out.line(&format!("{}{}", if zh { "处理:" } else { "next: " }, pick(page.todo)));
    Ok(0)
}
