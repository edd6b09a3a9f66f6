//! Vectors of our own, `tests/vectors/pairing/*.json`; `BLESS=1` writes them anew.

use serde_json::{Value, json};

use super::*;
use crate::contact::pairing::key_schedule::Chain;
use crate::contact::pairing::message::{Call, Exchange, Proof, Sort};
use crate::text::hex_encode as hex;
use crate::wire;

fn side(person: &Person) -> Value {
    json!({
        "identity_seed": hex(&[person.byte; 32]),
        "pairing_seed": hex(person.seed().0.expose()),
        "card": hex(person.card.to_bytes()),
        "address": address(&person.address(1)),
        "meeting": address(&person.meeting()),
    })
}

fn address(address: &Address) -> Value {
    json!({
        "relay": address.relay,
        "mailbox": hex(&address.mailbox),
        "capability": hex(address.capability.expose()),
    })
}

fn message(name: &str, from: Role, key: &Secret<32>, sort: Sort, bytes: &[u8]) -> Value {
    json!({
        "name": name,
        "from": format!("{from:?}").to_lowercase(),
        "key": hex(key.expose()),
        "sort": sort as u8,
        "salt": hex(&bytes[..32]),
        "record": hex(&message::open(key, sort, bytes).unwrap()),
        "sha256": hex(&message::name(bytes)),
    })
}

fn state(name: &str, state: &Pairing) -> Value {
    let bytes = state.to_bytes().unwrap();
    json!({ "name": name, "length": bytes.len(), "sha256": hex(&message::name(&bytes)) })
}

fn vector(public: bool) -> Value {
    let (offered, invite) = ann().offer(public);
    let joined = bob().join(&invite);
    let answered = step(&offered, sent(&joined));
    let finished = step(&joined.state, sent(&answered));
    let anns = step(&answered.state, sent(&finished));
    let mut states = vec![
        state("offered", &offered),
        state("joined", &joined.state),
        state("answered", &answered.state),
        state("joiner after the answer", &finished.state),
        state("inviter after the confirmation", &anns.state),
    ];

    let mut chain = Chain::begin(&invite).unwrap();
    let mut messages =
        vec![message("join", Role::Joiner, &chain.outer(), Sort::Join, sent(&joined))];
    chain.mix(&message::open(&chain.outer(), Sort::Join, sent(&joined)).unwrap());
    let mut inside = |name, from, reader: Person, sort, bytes: &[u8]| {
        let mut value = message(name, from, &chain.outer(), sort, bytes);
        let record = message::open(&chain.outer(), sort, bytes).unwrap();
        let exchange: Exchange = wire::decode(&record).unwrap();
        let shared = reader.seed().kem().decapsulate(&exchange.encapsulated).unwrap();
        chain.mix(&exchange.encapsulated);
        chain.agree(&shared);
        value["shared"] = hex(shared.expose()).into();
        value["inside"] = hex(&chain.open(&exchange.sealed).unwrap()).into();
        value["transcript"] = hex(chain.hash()).into();
        messages.push(value);
    };
    inside("answer", Role::Inviter, bob(), Sort::Answer, sent(&answered));
    inside("finish", Role::Joiner, ann(), Sort::Finish, sent(&finished));
    let mut later = |name, from, bytes: &[u8]| {
        messages.push(message(name, from, &chain.later(from), Sort::Later, bytes));
    };

    let mut digits_shown = Value::Null;
    let (anns, bobs) = if public {
        let (anns_digits, bobs_digits) = (digits(&anns.state), digits(&finished.state));
        digits_shown = json!({
            "inviter": anns_digits.to_string(),
            "joiner": bobs_digits.to_string(),
        });
        let bobs_word = finished.state.confirm(anns_digits, NOW).unwrap();
        let told = step(&anns.state, sent(&bobs_word));
        let anns_word = told.state.confirm(bobs_digits, NOW).unwrap();
        let [card, done] = anns_word.send.as_slice() else { panic!() };
        let end = step(&bobs_word.state, &card.bytes);
        later("joiner's hand", Role::Joiner, sent(&bobs_word));
        later("inviter's hand", Role::Inviter, &card.bytes);
        later("inviter's done", Role::Inviter, &done.bytes);
        later("joiner's done", Role::Joiner, sent(&end));
        states.push(state("joiner confirmed", &bobs_word.state));
        states.push(state("inviter settled", &anns_word.state));
        states.push(state("joiner settled", &end.state));
        let burnt = anns.state.confirm(wrong(&finished.state), NOW).unwrap();
        later("inviter's burnt", Role::Inviter, &burnt.send[0].bytes);
        states.push(state("inviter burnt", &burnt.state));
        (paired(anns_word), paired(end))
    } else {
        later("inviter's done", Role::Inviter, sent(&anns));
        states.push(state("joiner done", &step(&finished.state, sent(&anns)).state));
        (paired(anns), paired(finished))
    };
    agree(&anns, &bobs);
    json!({
        "description": "a pairing as PAIRING.md says, from fixed seeds; bytes in hexadecimal",
        "now": NOW,
        "expires": UNTIL,
        "inviter": side(&ann()),
        "joiner": side(&bob()),
        "invite": *invite.to_line().unwrap(),
        "messages": messages,
        "digits": digits_shown,
        "transcript": hex(&anns.transcript),
        "pairwise": hex(anns.pairwise.expose()),
        "states": states,
    })
}

/// A pairing by words, and the same with wrong ones.
fn words_vector() -> Value {
    let words = ann().seed().words();
    let (offered, invite) = ann().offer_by(Way::Words);
    let joined = bob().join_by(&invite, &words);
    let answered = step(&offered, sent(&joined));
    let proved = step(&joined.state, sent(&answered));
    let settled = step(&answered.state, sent(&proved));
    let done = step(&proved.state, sent(&settled));
    let over = step(&settled.state, sent(&done));
    let states = vec![
        state("offered", &offered),
        state("called", &joined.state),
        state("heard", &answered.state),
        state("proved", &proved.state),
        state("inviter settled", &settled.state),
        state("joiner settled", &done.state),
        state("inviter done", &over.state),
    ];

    let mut chain = Chain::begin(&invite).unwrap();
    let mut join = message("join", Role::Joiner, &chain.outer(), Sort::Join, sent(&joined));
    let call: Call =
        wire::decode(&message::open(&chain.outer(), Sort::Join, sent(&joined)).unwrap()).unwrap();
    chain.mix(&message::encode(&call.join).unwrap());
    let session = *chain.hash();
    let scalar = bob().seed().scalar(&session);
    join["session"] = hex(&session).into();
    join["scalar"] = hex(scalar.expose()).into();
    join["share"] = hex(&call.share).into();
    chain.mix(&call.share);

    let outer = chain.outer();
    let mut answer = message("answer", Role::Inviter, &outer, Sort::Answer, sent(&answered));
    let proof: Proof =
        wire::decode(&message::open(&outer, Sort::Answer, sent(&answered)).unwrap()).unwrap();
    let shared = bob().seed().kem().decapsulate(&proof.encapsulated).unwrap();
    chain.mix(&proof.encapsulated);
    chain.agree(&shared);
    let torn = chain.later(Role::Joiner);
    let run = pake::Run {
        session: &session,
        first: pake::Said { share: &call.share, data: &[] },
        second: pake::Said { share: &proof.share, data: chain.hash() },
    };
    let isk = pake::Ephemeral::from_random(&scalar).key_of_first(&run).unwrap();
    answer["shared"] = hex(shared.expose()).into();
    answer["scalar"] = hex(ann().seed().scalar(chain.hash()).expose()).into();
    answer["share"] = hex(&proof.share).into();
    answer["data"] = hex(chain.hash()).into();
    answer["isk"] = hex(isk.expose()).into();
    chain.mix(&proof.share);
    chain.agree(&isk);
    answer["proof"] = hex(chain.proof().expose()).into();
    answer["inside"] = hex(&chain.open(&proof.sealed).unwrap()).into();
    answer["transcript"] = hex(chain.hash()).into();

    let outer = chain.outer();
    let mut finish = message("finish", Role::Joiner, &outer, Sort::Finish, sent(&proved));
    let exchange: Exchange =
        wire::decode(&message::open(&outer, Sort::Finish, sent(&proved)).unwrap()).unwrap();
    let shared = ann().seed().kem().decapsulate(&exchange.encapsulated).unwrap();
    chain.mix(&exchange.encapsulated);
    chain.agree(&shared);
    finish["shared"] = hex(shared.expose()).into();
    finish["inside"] = hex(&chain.open(&exchange.sealed).unwrap()).into();
    finish["transcript"] = hex(chain.hash()).into();
    let later =
        |name, from, bytes: &[u8]| message(name, from, &chain.later(from), Sort::Later, bytes);
    let messages = vec![
        join,
        answer,
        finish,
        later("inviter's hand", Role::Inviter, sent(&settled)),
        later("joiner's done", Role::Joiner, sent(&done)),
    ];

    let wrong: Words = "bamboo maple zigzag".parse().unwrap();
    let joined = bob().join_by(&invite, &wrong);
    let answered = step(&offered, sent(&joined));
    let burnt = step(&joined.state, sent(&answered));
    let wrong = json!({
        "words": *wrong.to_text(),
        "join": hex(&message::name(sent(&joined))),
        "answer": hex(&message::name(sent(&answered))),
        "burnt": hex(&message::name(sent(&burnt))),
        "states": [state("joiner burnt", &burnt.state)],
    });
    let (anns, bobs) = (paired(settled), paired(done));
    agree(&anns, &bobs);
    json!({
        "description": "a pairing by words as PAIRING.md says, from fixed seeds; bytes in hexadecimal",
        "now": NOW,
        "expires": UNTIL,
        "inviter": side(&ann()),
        "joiner": side(&bob()),
        "invite": *invite.to_line().unwrap(),
        "words": *words.to_text(),
        "messages": messages,
        "torn": hex(torn.expose()),
        "wrong": wrong,
        "transcript": hex(&anns.transcript),
        "pairwise": hex(anns.pairwise.expose()),
        "states": states,
    })
}

#[test]
fn published_vectors() {
    for (name, now) in
        [("secret", vector(false)), ("public", vector(true)), ("words", words_vector())]
    {
        let path = std::path::Path::new(env!("CARGO_MANIFEST_DIR"))
            .join("tests/vectors/pairing")
            .join(format!("{name}.json"));
        if std::env::var_os("BLESS").is_some() {
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            let text = serde_json::to_string_pretty(&now).unwrap();
            std::fs::write(&path, text + "\n").unwrap();
        }
        let then: Value = serde_json::from_slice(&std::fs::read(&path).unwrap()).unwrap();
        assert!(now == then, "{} differs", path.display());
    }
}
