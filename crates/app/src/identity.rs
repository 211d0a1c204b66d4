//! Which plan of the ledger a plan file is: the one with its `id`, whatever it was called when it ran last.

use heliu_ledger::SqliteLedger;
use heliu_model::codes::lint::SAME_ID;
use heliu_model::config::PlanFile;
use heliu_model::ports::{Clock, Ledger, PlanRow};
use heliu_model::{Failure, Problem, text};

use crate::wire::App;

/// The other plan file with this id.
fn other_with(app: &App, name: &str, id: &str) -> Option<String> {
    let names = app.project.plan_names().into_iter().filter(|n| n != name);
    // Files that do not hold the id's text are not parsed: there may be thousands.
    let mut candidates = names.filter(|n| {
        PlanFile::derived_id(n) == id || app.project.plan_text(n).is_some_and(|t| t.contains(id))
    });
    candidates.find(|n| app.project.plan(n).is_ok_and(|read| read.value.id == id))
}

/// Another plan has this id.
pub fn same_id(other: &str, id: &str) -> Problem {
    SAME_ID.at("id", text!("plan `{other}` has the same id `{id}`", "方案 `{other}` 的 id 也是 `{id}`")).hint(text!(
        "the id is what a plan goes on under, and what lookups name: give each its own, or remove one of the files",
        "方案按 id 延续,联查也按 id 引用:请为每个方案使用不同的 id,或删除其中一个文件"
    ))
}

/// What is wrong with a plan file whose `id` another file has as well. The ledger knows one of them by this id and name:
/// that one is the plan, the other one a copy.
///
/// # Errors
/// The ledger cannot be read.
pub async fn copied(
    app: &App,
    ledger: &SqliteLedger,
    name: &str,
    id: &str,
) -> Result<Option<Problem>, Failure> {
    if id == PlanFile::derived_id(name) {
        return Ok(None);
    }
    let Some(other) = other_with(app, name, id) else { return Ok(None) };
    if ledger.plan_by_id(id).await?.is_some_and(|row| row.name == name) {
        return Ok(None);
    }
    Ok(Some(Problem { file: format!("plans/{name}.json"), ..same_id(&other, id) }))
}

/// Before a plan takes the place that its name has in the ledger: if a plan with another id ran under this name and its
/// file has another name now, it goes on under that one.
///
/// # Errors
/// The ledger cannot be used.
pub async fn settle(app: &App, ledger: &SqliteLedger, name: &str, id: &str) -> Result<(), Failure> {
    if let Some(row) = ledger.find_plan(name).await?
        && row.uuid != id
        && let Some(other) = other_with(app, name, &row.uuid)
    {
        ledger.plan(&other, &row.uuid, app.clock.now()).await?;
    }
    Ok(())
}

/// The row of a plan for those who look: by the id in its file, else by its name.
///
/// # Errors
/// The ledger cannot be read.
pub async fn row(app: &App, ledger: &SqliteLedger, name: &str) -> Result<Option<PlanRow>, Failure> {
    let Ok(read) = app.project.plan(name) else { return ledger.find_plan(name).await };
    let id = read.value.id;
    if let Some(row) = ledger.plan_by_id(&id).await? {
        return Ok(Some(row));
    }
    let named = ledger.find_plan(name).await?;
    Ok(named.filter(|row| other_with(app, name, &row.uuid).is_none()))
}
