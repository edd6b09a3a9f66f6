//! The page, the OpenAPI file and the relay say one thing.

use std::collections::{BTreeMap, BTreeSet};

use crate::relay::server::tests::harness::*;

const PAGE: &str = include_str!("../../protocol/PROTOCOL.md");
const OPENAPI: &str = include_str!("../../protocol/openapi.json");

/// What a request may be answered with: statuses of success, and refusals by status and code.
#[derive(Debug, Default, PartialEq, Eq)]
struct Answers {
    good: BTreeSet<u16>,
    refusals: BTreeSet<(u16, String)>,
}

/// Requests by method and path.
type Requests = BTreeMap<(String, String), Answers>;

fn refusals(cell: &str, groups: &BTreeMap<&str, &str>) -> BTreeSet<(u16, String)> {
    let parts = cell.split(',').map(str::trim).filter(|part| !part.is_empty());
    parts
        .flat_map(|part| match groups.get(part) {
            Some(group) => refusals(group, groups),
            None => {
                let (status, code) = part.split_once(' ').unwrap();
                BTreeSet::from([(status.parse().unwrap(), code.trim_matches('`').to_owned())])
            }
        })
        .collect()
}

fn of_the_page() -> Requests {
    let groups = PAGE.lines().filter_map(|line| line.strip_prefix("- **")?.split_once("**: "));
    let groups: BTreeMap<_, _> = groups.filter(|(name, _)| name.len() == 1).collect();
    let rows = PAGE.lines().skip_while(|line| !line.starts_with("| request |")).skip(2);
    rows.take_while(|line| line.starts_with('|'))
        .map(|row| {
            let cells: Vec<&str> = row.trim_matches('|').split('|').map(str::trim).collect();
            let (method, target) = cells[0].trim_matches('`').split_once(' ').unwrap();
            let path = target.split('?').next().unwrap();
            let words = cells[3].split(|c: char| !c.is_ascii_digit());
            let good = words.filter_map(|word| word.parse().ok()).collect();
            let answers = Answers { good, refusals: refusals(cells[4], &groups) };
            ((method.to_owned(), path.to_owned()), answers)
        })
        .collect()
}

fn of_the_file() -> Requests {
    let file: serde_json::Value = serde_json::from_str(OPENAPI).unwrap();
    let mut requests = Requests::new();
    for (path, methods) in file["paths"].as_object().unwrap() {
        for (method, operation) in methods.as_object().unwrap() {
            let mut answers = Answers::default();
            for (status, response) in operation["responses"].as_object().unwrap() {
                let status: u16 = status.parse().unwrap();
                let schema = &response["content"]["application/json"]["schema"];
                let codes = &schema["properties"]["error"]["enum"];
                let codes = codes.as_array().or(response["x-codes"].as_array());
                if status < 300 {
                    answers.good.insert(status);
                }
                let codes = codes.into_iter().flatten();
                let codes = codes.map(|code| (status, code.as_str().unwrap().to_owned()));
                answers.refusals.extend(codes);
                assert!(status < 300 || !answers.refusals.is_empty(), "{method} {path} {status}");
            }
            requests.insert((method.to_uppercase(), path.clone()), answers);
        }
    }
    requests
}

#[test]
fn the_openapi_file_says_what_the_page_says() {
    let (page, file) = (of_the_page(), of_the_file());
    assert_eq!(page.len(), 16);
    assert_eq!(page, file);
    // Every code that a request may be refused with is explained, and no other but the two that
    // are of no request.
    let errors = PAGE.split("## Errors").nth(1).unwrap().split("## ").next().unwrap();
    let mut explained = BTreeSet::new();
    for row in errors.lines().filter(|line| line.starts_with("| ")) {
        let cells: Vec<&str> = row.trim_matches('|').split('|').map(str::trim).collect();
        let Ok(status) = cells[0].parse::<u16>() else { continue };
        let codes = cells[1].split('`').skip(1).step_by(2).filter(|code| !code.contains('-'));
        explained.extend(codes.map(|code| (status, code.to_owned())));
    }
    explained.remove(&(401, "Date".into()));
    explained.remove(&(411, "Content-Length".into()));
    let mut used: BTreeSet<_> = file.into_values().flat_map(|answers| answers.refusals).collect();
    used.extend([(404, "no_route".into()), (405, "method".into())]);
    assert_eq!(used, explained);
}

#[test]
fn the_relay_has_the_paths_of_the_page_and_no_others() {
    let folder = folder();
    let relay = Relay::start(folder.path(), |_| {});
    let page = of_the_page();
    let methods = ["GET", "HEAD", "PUT", "POST", "PATCH", "DELETE", "OPTIONS"];
    let paths: BTreeSet<&str> = page.keys().map(|(_, path)| path.as_str()).collect();
    for path in paths {
        let target = path.replace("{mailbox}", &"ab".repeat(32));
        let target = target.replace("{id}", &"cd".repeat(32));
        let target = target.replace("{capability}", &"ef".repeat(32));
        for method in methods {
            let reply = relay.send(&ask(method, target.clone()).header("content-length", "0"));
            let taken = page.contains_key(&(method.into(), path.into()));
            assert_eq!(reply.status == 405, !taken, "{method} {path}: {}", reply.head);
            if !taken {
                let allow = reply.header("allow").unwrap();
                let allowed: BTreeSet<&str> = allow.split(", ").collect();
                let known = page.keys().filter(|(_, known)| known == path);
                assert_eq!(allowed, known.map(|(method, _)| method.as_str()).collect());
            }
        }
    }
}
