//! Codes of the area `token`.

use super::{Code, code};

/// The codes of this area.
pub const CODES: &[Code] = &[
    code(
        "HL-4001",
        ("the token is refused", "令牌被拒绝"),
        ("it has expired, or belongs to another application", "令牌已过期,或属于其他应用"),
        (
            "heliu refreshes it once; if that does not help, authorise again and put the new pair into the connector",
            "heliu 会刷新一次;若仍无效,请重新授权并将新令牌填入连接器",
        ),
    ),
    code(
        "HL-4002",
        ("another process renews the token for too long", "另一个进程刷新令牌的时间过长"),
        ("a process holds the refresh and does not end it", "某个进程持有刷新权且未结束"),
        ("end the process that hangs, then run again", "请结束挂起的进程后重新运行"),
    ),
    code(
        "HL-4003",
        ("there is no refresh token", "没有刷新令牌"),
        ("the connector gives only an access token, and that is refused", "连接器只有访问令牌,而它已被拒绝"),
        ("authorise again and add `refresh_token`", "请重新授权并补上 `refresh_token`"),
    ),
    code(
        "HL-4004",
        ("the new token was not stored", "新令牌未能保存"),
        ("the ledger did not take the new pair", "台账未能写入新令牌"),
        ("check the disk, then run again", "请检查磁盘后重新运行"),
    ),
    code(
        "HL-4005",
        ("the platform has no rule for tokens", "平台没有令牌规则"),
        ("its manifest says nothing about renewing", "平台清单没有说明如何刷新"),
        (
            "give a valid token in the connector, or add `[token]` to the manifest",
            "请在连接器中填写有效令牌,或在清单中补充 `[token]`",
        ),
    ),
    code(
        "HL-4006",
        ("the token reply holds no token", "令牌响应中没有令牌"),
        ("the platform answered with success and without a token", "平台返回成功但没有令牌"),
        ("look at the call with `heliu calls`", "请用 `heliu calls` 查看该调用"),
    ),
    code(
        "HL-4007",
        ("the token cannot be renewed", "令牌无法刷新"),
        ("the refresh token is used up, revoked or wrong", "刷新令牌已失效、被撤销或有误"),
        (
            "authorise the application again, then put the new pair into the connector",
            "请重新授权应用,并将新令牌填入连接器",
        ),
    ),
];
