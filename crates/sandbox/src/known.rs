//! The stand-ins there are.

/// One stand-in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Known {
    /// Its name on the command line.
    pub name: &'static str,
    /// Other names for it.
    pub aliases: &'static [&'static str],
    /// What it is, in English.
    pub en: &'static str,
    /// 说明。
    pub zh: &'static str,
}

pub(crate) const KNOWN: &[Known] = &[
    Known {
        name: "jushuitan",
        aliases: &["聚水潭"],
        en: "聚水潭 open API v2: signed calls, tokens, limits, shops, outbound orders, stock, uploads",
        zh: "聚水潭开放平台 v2：签名、令牌、限流、店铺、销售出库、库存、订单上传",
    },
    Known {
        name: "kuaimai",
        aliases: &["快麦"],
        en: "快麦 gateway: three signatures, session, trades with split orders, shops",
        zh: "快麦网关：三种签名、会话、订单（含拆单）、店铺",
    },
    Known {
        name: "okki",
        aliases: &["小满", "xiaoman"],
        en: "小满 OKKI: OAuth2 with single-use refresh tokens, product groups",
        zh: "小满 OKKI：OAuth2、一次性刷新令牌、产品分组",
    },
    Known {
        name: "kingdee",
        aliases: &["金蝶云星空", "k3cloud"],
        en: "金蝶云星空: signed headers or a login, positional rows, batches saved in part",
        zh: "金蝶云星空：请求头签名或登录、按位置的行、批量部分成功",
    },
    Known {
        name: "yonyou",
        aliases: &["用友BIP", "yonbip"],
        en: "用友 BIP: data centre, token signature, both page styles, repeated writes",
        zh: "用友 BIP：数据中心、令牌签名、两种分页、重复提交",
    },
    Known {
        name: "dingtalk",
        aliases: &["钉钉"],
        en: "钉钉: both API generations, approvals, robots",
        zh: "钉钉：新旧两代接口、审批、机器人",
    },
    Known {
        name: "wecom",
        aliases: &["企业微信"],
        en: "企业微信: approvals by cursor, robots",
        zh: "企业微信：游标审批列表、机器人",
    },
    Known {
        name: "qeasy-open",
        aliases: &["轻易云开放接口"],
        en: "轻易云 open API, versions 2 and 1: store and query",
        zh: "轻易云开放接口 V2 与 V1：写入与查询",
    },
    Known {
        name: "bench",
        aliases: &[],
        en: "a plain paged JSON source for measurements: GET /orders?page=&page_size=",
        zh: "性能测试用的分页 JSON 数据源：GET /orders?page=&page_size=",
    },
];

/// The stand-in of a name or alias.
pub(crate) fn find(name: &str) -> Option<&'static Known> {
    KNOWN.iter().find(|k| k.name == name || k.aliases.contains(&name))
}
