# Print an optspec for argparse to handle cmd's options that are independent of any subcommand.
function __fish_bulla_global_optspecs
    string join \n json q/quiet v/verbose no-input h/help V/version
end

function __fish_bulla_needs_command
    # Figure out if the current invocation already has a command.
    set -l cmd (commandline -opc)
    set -e cmd[1]
    argparse -s (__fish_bulla_global_optspecs) -- $cmd 2>/dev/null
    or return
    if set -q argv[1]
        # Also print the command, so this can be used to figure out what it is.
        echo $argv[1]
        return 1
    end
    return 0
end

function __fish_bulla_using_subcommand
    set -l cmd (__fish_bulla_needs_command)
    test -z "$cmd"
    and return 1
    contains -- $cmd[1] $argv
end

complete -c bulla -n "__fish_bulla_needs_command" -l json -d 'Print one JSON object a line; errors end with one on stderr'
complete -c bulla -n "__fish_bulla_needs_command" -s q -l quiet -d 'No progress, no notes: errors and warnings only'
complete -c bulla -n "__fish_bulla_needs_command" -s v -l verbose -d 'Say more of what is done'
complete -c bulla -n "__fish_bulla_needs_command" -l no-input -d 'Never ask: fail with status 14 where a passphrase would be asked for'
complete -c bulla -n "__fish_bulla_needs_command" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c bulla -n "__fish_bulla_needs_command" -s V -l version -d 'Print version'
complete -c bulla -n "__fish_bulla_needs_command" -f -a "keygen" -d 'Make a secret identity'
complete -c bulla -n "__fish_bulla_needs_command" -f -a "card" -d 'Print the public card of an identity, to hand out'
complete -c bulla -n "__fish_bulla_needs_command" -f -a "invite" -d 'Make an invite, by which somebody can pair with you'
complete -c bulla -n "__fish_bulla_needs_command" -f -a "pair" -d 'Pair with somebody by an invite, or go on with a pairing'
complete -c bulla -n "__fish_bulla_needs_command" -f -a "contact" -d 'Keep the book of contacts'
complete -c bulla -n "__fish_bulla_needs_command" -f -a "seal" -d 'Seal a stream: an age file, or letters when --to names who they are for'
complete -c bulla -n "__fish_bulla_needs_command" -f -a "open" -d 'Open what was sealed for you'
complete -c bulla -n "__fish_bulla_needs_command" -f -a "inspect" -d 'Show what anybody can see of something sealed, without a key'
complete -c bulla -n "__fish_bulla_needs_command" -f -a "backup" -d 'Write everything of yours that a lost machine takes away into one sealed file'
complete -c bulla -n "__fish_bulla_needs_command" -f -a "restore" -d 'Put a backup back'
complete -c bulla -n "__fish_bulla_needs_command" -f -a "relay" -d 'Run a relay, push to one, pull from one'
complete -c bulla -n "__fish_bulla_needs_command" -f -a "index" -d 'Build and keep the encrypted index'
complete -c bulla -n "__fish_bulla_needs_command" -f -a "search" -d 'Find words in the encrypted index'
complete -c bulla -n "__fish_bulla_needs_command" -f -a "tag" -d 'Put tags on what a query finds, and take them off'
complete -c bulla -n "__fish_bulla_needs_command" -f -a "agent" -d 'Unlock the index for a while, so that searches ask for no passphrase'
complete -c bulla -n "__fish_bulla_needs_command" -f -a "completions" -d 'Print a shell\'s completion script'
complete -c bulla -n "__fish_bulla_needs_command" -f -a "man" -d 'Print a man page'
complete -c bulla -n "__fish_bulla_using_subcommand keygen" -s o -l output -d 'Write to a file, which appears when it is complete; - forces stdout' -r -F
complete -c bulla -n "__fish_bulla_using_subcommand keygen" -l passphrase -d 'Lock it with the passphrase from a file, -, @ENV:NAME or @FD:N' -r -F
complete -c bulla -n "__fish_bulla_using_subcommand keygen" -l identity-passphrase -d 'Passphrase of the identity that is replaced: a file, -, @ENV:NAME or @FD:N' -r -F
complete -c bulla -n "__fish_bulla_using_subcommand keygen" -l token -d 'The token the relay\'s operator gave you, for the new mailboxes: a file, @ENV:NAME or @FD:N' -r -F
complete -c bulla -n "__fish_bulla_using_subcommand keygen" -l relay -d 'The relay. For push only where the card of the recipient names none' -r -f
complete -c bulla -n "__fish_bulla_using_subcommand keygen" -l timeout -d 'Give up on one request after so long; one with a letter may take longer, at 1 KiB a second' -r
complete -c bulla -n "__fish_bulla_using_subcommand keygen" -l retry -d 'Try so often again after a temporary failure' -r
complete -c bulla -n "__fish_bulla_using_subcommand keygen" -l age -d 'Make a plain age identity instead, for use with age itself' -r -f -a "pq\t'ML-KEM-768 with X25519 (age 1.3 and later)'
x25519\t'X25519 alone, which every age knows'"
complete -c bulla -n "__fish_bulla_using_subcommand keygen" -l json -d 'Print one JSON object a line; errors end with one on stderr'
complete -c bulla -n "__fish_bulla_using_subcommand keygen" -s q -l quiet -d 'No progress, no notes: errors and warnings only'
complete -c bulla -n "__fish_bulla_using_subcommand keygen" -s v -l verbose -d 'Say more of what is done'
complete -c bulla -n "__fish_bulla_using_subcommand keygen" -l no-input -d 'Never ask: fail with status 14 where a passphrase would be asked for'
complete -c bulla -n "__fish_bulla_using_subcommand keygen" -s f -l force -d 'Replace a file that exists'
complete -c bulla -n "__fish_bulla_using_subcommand keygen" -s d -l default -d 'Write to the place where every verb looks for the identity'
complete -c bulla -n "__fish_bulla_using_subcommand keygen" -s p -l lock -d 'Lock the identity with a passphrase asked on the terminal'
complete -c bulla -n "__fish_bulla_using_subcommand keygen" -l replace -d 'Replace the default identity, which was stolen, and tell all contacts'
complete -c bulla -n "__fish_bulla_using_subcommand keygen" -l unlink -d 'Give each mailbox a Tor circuit of its own, so that the relay cannot tell that they are one person\'s. Takes ALL_PROXY=socks5h://…'
complete -c bulla -n "__fish_bulla_using_subcommand keygen" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c bulla -n "__fish_bulla_using_subcommand card" -s i -l identity -d 'Identity: a file, - for stdin, @ENV:NAME or @FD:N' -r -F
complete -c bulla -n "__fish_bulla_using_subcommand card" -l passphrase -d 'Passphrase of a locked identity: a file, -, @ENV:NAME or @FD:N' -r -F
complete -c bulla -n "__fish_bulla_using_subcommand card" -l name -d 'The name to put on the card; whoever adds it may choose another' -r
complete -c bulla -n "__fish_bulla_using_subcommand card" -l relay -d 'The relay where first letters are to be pushed' -r -f
complete -c bulla -n "__fish_bulla_using_subcommand card" -l json -d 'Print one JSON object a line; errors end with one on stderr'
complete -c bulla -n "__fish_bulla_using_subcommand card" -s q -l quiet -d 'No progress, no notes: errors and warnings only'
complete -c bulla -n "__fish_bulla_using_subcommand card" -s v -l verbose -d 'Say more of what is done'
complete -c bulla -n "__fish_bulla_using_subcommand card" -l no-input -d 'Never ask: fail with status 14 where a passphrase would be asked for'
complete -c bulla -n "__fish_bulla_using_subcommand card" -l recipient -d 'Print the age recipient alone, for users of age'
complete -c bulla -n "__fish_bulla_using_subcommand card" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c bulla -n "__fish_bulla_using_subcommand invite" -s i -l identity -d 'Identity: a file, - for stdin, @ENV:NAME or @FD:N' -r -F
complete -c bulla -n "__fish_bulla_using_subcommand invite" -l passphrase -d 'Passphrase of a locked identity: a file, -, @ENV:NAME or @FD:N' -r -F
complete -c bulla -n "__fish_bulla_using_subcommand invite" -l relay -d 'The relay. For push only where the card of the recipient names none' -r -f
complete -c bulla -n "__fish_bulla_using_subcommand invite" -l timeout -d 'Give up on one request after so long; one with a letter may take longer, at 1 KiB a second' -r
complete -c bulla -n "__fish_bulla_using_subcommand invite" -l retry -d 'Try so often again after a temporary failure' -r
complete -c bulla -n "__fish_bulla_using_subcommand invite" -l as -d 'The name you give whoever accepts; his own name for himself otherwise' -r
complete -c bulla -n "__fish_bulla_using_subcommand invite" -l expires -d 'How long the invite is good (12h, 7d)' -r
complete -c bulla -n "__fish_bulla_using_subcommand invite" -l token -d 'The token the relay\'s operator gave you: a file, -, @ENV:NAME or @FD:N' -r -F
complete -c bulla -n "__fish_bulla_using_subcommand invite" -l method -d 'How you and the other side know each other; secret otherwise' -r -f -a "secret\t'The line itself: it goes over a private channel, which no one else can read or change'
digits\t'Digits that both sides compare: others may read or change the line'
words\t'Three words that the inviter tells the joiner: others may read or change the line'
device\t'The line itself, to another machine of your own, which becomes you'"
complete -c bulla -n "__fish_bulla_using_subcommand invite" -l withdraw -d 'Withdraw the invite of this id or name, as --list shows it: no one can pair by it from then on' -r
complete -c bulla -n "__fish_bulla_using_subcommand invite" -l wait -d 'Then go on with the pairing for so many seconds' -r
complete -c bulla -n "__fish_bulla_using_subcommand invite" -l json -d 'Print one JSON object a line; errors end with one on stderr'
complete -c bulla -n "__fish_bulla_using_subcommand invite" -s q -l quiet -d 'No progress, no notes: errors and warnings only'
complete -c bulla -n "__fish_bulla_using_subcommand invite" -s v -l verbose -d 'Say more of what is done'
complete -c bulla -n "__fish_bulla_using_subcommand invite" -l no-input -d 'Never ask: fail with status 14 where a passphrase would be asked for'
complete -c bulla -n "__fish_bulla_using_subcommand invite" -l unlink -d 'Give each mailbox a Tor circuit of its own, so that the relay cannot tell that they are one person\'s. Takes ALL_PROXY=socks5h://…'
complete -c bulla -n "__fish_bulla_using_subcommand invite" -l public -d 'Make an invite that others may see or change on its way: then each of you types four digits that the other reads out. As --method digits'
complete -c bulla -n "__fish_bulla_using_subcommand invite" -l words -d 'Make an invite that others may see or change on its way, and three words for it, which you say to the other side: one wrong guess at them ends it. As --method words'
complete -c bulla -n "__fish_bulla_using_subcommand invite" -l device -d 'Make an invite for another machine of your own, which gets your identity and contacts with it, and mailboxes of its own: letters come to both from then on. As --method device'
complete -c bulla -n "__fish_bulla_using_subcommand invite" -l list -d 'List the invites that no one has paired by yet'
complete -c bulla -n "__fish_bulla_using_subcommand invite" -l qr -d 'Draw the invite as a QR code'
complete -c bulla -n "__fish_bulla_using_subcommand invite" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c bulla -n "__fish_bulla_using_subcommand pair" -s i -l identity -d 'Identity: a file, - for stdin, @ENV:NAME or @FD:N' -r -F
complete -c bulla -n "__fish_bulla_using_subcommand pair" -l passphrase -d 'Passphrase of a locked identity: a file, -, @ENV:NAME or @FD:N' -r -F
complete -c bulla -n "__fish_bulla_using_subcommand pair" -l relay -d 'The relay. For push only where the card of the recipient names none' -r -f
complete -c bulla -n "__fish_bulla_using_subcommand pair" -l timeout -d 'Give up on one request after so long; one with a letter may take longer, at 1 KiB a second' -r
complete -c bulla -n "__fish_bulla_using_subcommand pair" -l retry -d 'Try so often again after a temporary failure' -r
complete -c bulla -n "__fish_bulla_using_subcommand pair" -l as -d 'The name you give whoever invites; his own name for himself otherwise' -r
complete -c bulla -n "__fish_bulla_using_subcommand pair" -l token -d 'The token the relay\'s operator gave you: a file, @ENV:NAME or @FD:N' -r -F
complete -c bulla -n "__fish_bulla_using_subcommand pair" -l method -d 'How you and the inviter know each other, as the inviter told you; asked on the terminal otherwise' -r -f -a "secret\t'The line itself: it goes over a private channel, which no one else can read or change'
digits\t'Digits that both sides compare: others may read or change the line'
words\t'Three words that the inviter tells the joiner: others may read or change the line'
device\t'The line itself, to another machine of your own, which becomes you'"
complete -c bulla -n "__fish_bulla_using_subcommand pair" -l fingerprint -d 'The fingerprint of the identity that this machine is to get, with --method device: asked for on the terminal otherwise' -r
complete -c bulla -n "__fish_bulla_using_subcommand pair" -l words -d 'The words that the inviter says, with --method words, which it implies: a file, -, @ENV:NAME or @FD:N; asked on the terminal otherwise' -r -F
complete -c bulla -n "__fish_bulla_using_subcommand pair" -l wait -d 'Go on with the pairing for so many seconds' -r
complete -c bulla -n "__fish_bulla_using_subcommand pair" -l confirm -d 'Type the four digits that the other side shows, for the pairing of this name' -r
complete -c bulla -n "__fish_bulla_using_subcommand pair" -l digits -d 'The digits, for --confirm NAME: a file, -, @ENV:NAME or @FD:N' -r -F
complete -c bulla -n "__fish_bulla_using_subcommand pair" -l accept -d 'Pair with somebody whom a contact introduced' -r
complete -c bulla -n "__fish_bulla_using_subcommand pair" -l json -d 'Print one JSON object a line; errors end with one on stderr'
complete -c bulla -n "__fish_bulla_using_subcommand pair" -s q -l quiet -d 'No progress, no notes: errors and warnings only'
complete -c bulla -n "__fish_bulla_using_subcommand pair" -s v -l verbose -d 'Say more of what is done'
complete -c bulla -n "__fish_bulla_using_subcommand pair" -l no-input -d 'Never ask: fail with status 14 where a passphrase would be asked for'
complete -c bulla -n "__fish_bulla_using_subcommand pair" -l unlink -d 'Give each mailbox a Tor circuit of its own, so that the relay cannot tell that they are one person\'s. Takes ALL_PROXY=socks5h://…'
complete -c bulla -n "__fish_bulla_using_subcommand pair" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c bulla -n "__fish_bulla_using_subcommand contact; and not __fish_seen_subcommand_from add list show rename introduce verify renew drop revoke remove" -l json -d 'Print one JSON object a line; errors end with one on stderr'
complete -c bulla -n "__fish_bulla_using_subcommand contact; and not __fish_seen_subcommand_from add list show rename introduce verify renew drop revoke remove" -s q -l quiet -d 'No progress, no notes: errors and warnings only'
complete -c bulla -n "__fish_bulla_using_subcommand contact; and not __fish_seen_subcommand_from add list show rename introduce verify renew drop revoke remove" -s v -l verbose -d 'Say more of what is done'
complete -c bulla -n "__fish_bulla_using_subcommand contact; and not __fish_seen_subcommand_from add list show rename introduce verify renew drop revoke remove" -l no-input -d 'Never ask: fail with status 14 where a passphrase would be asked for'
complete -c bulla -n "__fish_bulla_using_subcommand contact; and not __fish_seen_subcommand_from add list show rename introduce verify renew drop revoke remove" -s h -l help -d 'Print help'
complete -c bulla -n "__fish_bulla_using_subcommand contact; and not __fish_seen_subcommand_from add list show rename introduce verify renew drop revoke remove" -f -a "add" -d 'Add somebody by a card'
complete -c bulla -n "__fish_bulla_using_subcommand contact; and not __fish_seen_subcommand_from add list show rename introduce verify renew drop revoke remove" -f -a "list" -d 'List the contacts'
complete -c bulla -n "__fish_bulla_using_subcommand contact; and not __fish_seen_subcommand_from add list show rename introduce verify renew drop revoke remove" -f -a "show" -d 'Show one contact whole'
complete -c bulla -n "__fish_bulla_using_subcommand contact; and not __fish_seen_subcommand_from add list show rename introduce verify renew drop revoke remove" -f -a "rename" -d 'Give a contact another name'
complete -c bulla -n "__fish_bulla_using_subcommand contact; and not __fish_seen_subcommand_from add list show rename introduce verify renew drop revoke remove" -f -a "introduce" -d 'Tell two contacts of each other, so that they can pair'
complete -c bulla -n "__fish_bulla_using_subcommand contact; and not __fish_seen_subcommand_from add list show rename introduce verify renew drop revoke remove" -f -a "verify" -d 'Compare 60 digits with a contact, to be sure that no one is in between'
complete -c bulla -n "__fish_bulla_using_subcommand contact; and not __fish_seen_subcommand_from add list show rename introduce verify renew drop revoke remove" -f -a "renew" -d 'Offer new keys to a contact whose letters do not open any more'
complete -c bulla -n "__fish_bulla_using_subcommand contact; and not __fish_seen_subcommand_from add list show rename introduce verify renew drop revoke remove" -f -a "drop" -d 'Send no more letters to one machine of a contact\'s'
complete -c bulla -n "__fish_bulla_using_subcommand contact; and not __fish_seen_subcommand_from add list show rename introduce verify renew drop revoke remove" -f -a "revoke" -d 'Close the mailboxes that were made for a contact, and refuse what the contact signs'
complete -c bulla -n "__fish_bulla_using_subcommand contact; and not __fish_seen_subcommand_from add list show rename introduce verify renew drop revoke remove" -f -a "remove" -d 'Revoke a contact and forget them; or refuse someone who was introduced, or give up a pairing that has not finished'
complete -c bulla -n "__fish_bulla_using_subcommand contact; and __fish_seen_subcommand_from add" -s i -l identity -d 'Identity: a file, - for stdin, @ENV:NAME or @FD:N' -r -F
complete -c bulla -n "__fish_bulla_using_subcommand contact; and __fish_seen_subcommand_from add" -l passphrase -d 'Passphrase of a locked identity: a file, -, @ENV:NAME or @FD:N' -r -F
complete -c bulla -n "__fish_bulla_using_subcommand contact; and __fish_seen_subcommand_from add" -l json -d 'Print one JSON object a line; errors end with one on stderr'
complete -c bulla -n "__fish_bulla_using_subcommand contact; and __fish_seen_subcommand_from add" -s q -l quiet -d 'No progress, no notes: errors and warnings only'
complete -c bulla -n "__fish_bulla_using_subcommand contact; and __fish_seen_subcommand_from add" -s v -l verbose -d 'Say more of what is done'
complete -c bulla -n "__fish_bulla_using_subcommand contact; and __fish_seen_subcommand_from add" -l no-input -d 'Never ask: fail with status 14 where a passphrase would be asked for'
complete -c bulla -n "__fish_bulla_using_subcommand contact; and __fish_seen_subcommand_from add" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c bulla -n "__fish_bulla_using_subcommand contact; and __fish_seen_subcommand_from list" -s i -l identity -d 'Identity: a file, - for stdin, @ENV:NAME or @FD:N' -r -F
complete -c bulla -n "__fish_bulla_using_subcommand contact; and __fish_seen_subcommand_from list" -l passphrase -d 'Passphrase of a locked identity: a file, -, @ENV:NAME or @FD:N' -r -F
complete -c bulla -n "__fish_bulla_using_subcommand contact; and __fish_seen_subcommand_from list" -l json -d 'Print one JSON object a line; errors end with one on stderr'
complete -c bulla -n "__fish_bulla_using_subcommand contact; and __fish_seen_subcommand_from list" -s q -l quiet -d 'No progress, no notes: errors and warnings only'
complete -c bulla -n "__fish_bulla_using_subcommand contact; and __fish_seen_subcommand_from list" -s v -l verbose -d 'Say more of what is done'
complete -c bulla -n "__fish_bulla_using_subcommand contact; and __fish_seen_subcommand_from list" -l no-input -d 'Never ask: fail with status 14 where a passphrase would be asked for'
complete -c bulla -n "__fish_bulla_using_subcommand contact; and __fish_seen_subcommand_from list" -s h -l help -d 'Print help'
complete -c bulla -n "__fish_bulla_using_subcommand contact; and __fish_seen_subcommand_from show" -s i -l identity -d 'Identity: a file, - for stdin, @ENV:NAME or @FD:N' -r -F
complete -c bulla -n "__fish_bulla_using_subcommand contact; and __fish_seen_subcommand_from show" -l passphrase -d 'Passphrase of a locked identity: a file, -, @ENV:NAME or @FD:N' -r -F
complete -c bulla -n "__fish_bulla_using_subcommand contact; and __fish_seen_subcommand_from show" -l json -d 'Print one JSON object a line; errors end with one on stderr'
complete -c bulla -n "__fish_bulla_using_subcommand contact; and __fish_seen_subcommand_from show" -s q -l quiet -d 'No progress, no notes: errors and warnings only'
complete -c bulla -n "__fish_bulla_using_subcommand contact; and __fish_seen_subcommand_from show" -s v -l verbose -d 'Say more of what is done'
complete -c bulla -n "__fish_bulla_using_subcommand contact; and __fish_seen_subcommand_from show" -l no-input -d 'Never ask: fail with status 14 where a passphrase would be asked for'
complete -c bulla -n "__fish_bulla_using_subcommand contact; and __fish_seen_subcommand_from show" -l card -d 'Print the contact\'s card'
complete -c bulla -n "__fish_bulla_using_subcommand contact; and __fish_seen_subcommand_from show" -s h -l help -d 'Print help'
complete -c bulla -n "__fish_bulla_using_subcommand contact; and __fish_seen_subcommand_from rename" -s i -l identity -d 'Identity: a file, - for stdin, @ENV:NAME or @FD:N' -r -F
complete -c bulla -n "__fish_bulla_using_subcommand contact; and __fish_seen_subcommand_from rename" -l passphrase -d 'Passphrase of a locked identity: a file, -, @ENV:NAME or @FD:N' -r -F
complete -c bulla -n "__fish_bulla_using_subcommand contact; and __fish_seen_subcommand_from rename" -l json -d 'Print one JSON object a line; errors end with one on stderr'
complete -c bulla -n "__fish_bulla_using_subcommand contact; and __fish_seen_subcommand_from rename" -s q -l quiet -d 'No progress, no notes: errors and warnings only'
complete -c bulla -n "__fish_bulla_using_subcommand contact; and __fish_seen_subcommand_from rename" -s v -l verbose -d 'Say more of what is done'
complete -c bulla -n "__fish_bulla_using_subcommand contact; and __fish_seen_subcommand_from rename" -l no-input -d 'Never ask: fail with status 14 where a passphrase would be asked for'
complete -c bulla -n "__fish_bulla_using_subcommand contact; and __fish_seen_subcommand_from rename" -s h -l help -d 'Print help'
complete -c bulla -n "__fish_bulla_using_subcommand contact; and __fish_seen_subcommand_from introduce" -s i -l identity -d 'Identity: a file, - for stdin, @ENV:NAME or @FD:N' -r -F
complete -c bulla -n "__fish_bulla_using_subcommand contact; and __fish_seen_subcommand_from introduce" -l passphrase -d 'Passphrase of a locked identity: a file, -, @ENV:NAME or @FD:N' -r -F
complete -c bulla -n "__fish_bulla_using_subcommand contact; and __fish_seen_subcommand_from introduce" -l relay -d 'The relay. For push only where the card of the recipient names none' -r -f
complete -c bulla -n "__fish_bulla_using_subcommand contact; and __fish_seen_subcommand_from introduce" -l timeout -d 'Give up on one request after so long; one with a letter may take longer, at 1 KiB a second' -r
complete -c bulla -n "__fish_bulla_using_subcommand contact; and __fish_seen_subcommand_from introduce" -l retry -d 'Try so often again after a temporary failure' -r
complete -c bulla -n "__fish_bulla_using_subcommand contact; and __fish_seen_subcommand_from introduce" -l note -d 'A line for both of them' -r
complete -c bulla -n "__fish_bulla_using_subcommand contact; and __fish_seen_subcommand_from introduce" -l json -d 'Print one JSON object a line; errors end with one on stderr'
complete -c bulla -n "__fish_bulla_using_subcommand contact; and __fish_seen_subcommand_from introduce" -s q -l quiet -d 'No progress, no notes: errors and warnings only'
complete -c bulla -n "__fish_bulla_using_subcommand contact; and __fish_seen_subcommand_from introduce" -s v -l verbose -d 'Say more of what is done'
complete -c bulla -n "__fish_bulla_using_subcommand contact; and __fish_seen_subcommand_from introduce" -l no-input -d 'Never ask: fail with status 14 where a passphrase would be asked for'
complete -c bulla -n "__fish_bulla_using_subcommand contact; and __fish_seen_subcommand_from introduce" -l unlink -d 'Give each mailbox a Tor circuit of its own, so that the relay cannot tell that they are one person\'s. Takes ALL_PROXY=socks5h://…'
complete -c bulla -n "__fish_bulla_using_subcommand contact; and __fish_seen_subcommand_from introduce" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c bulla -n "__fish_bulla_using_subcommand contact; and __fish_seen_subcommand_from verify" -s i -l identity -d 'Identity: a file, - for stdin, @ENV:NAME or @FD:N' -r -F
complete -c bulla -n "__fish_bulla_using_subcommand contact; and __fish_seen_subcommand_from verify" -l passphrase -d 'Passphrase of a locked identity: a file, -, @ENV:NAME or @FD:N' -r -F
complete -c bulla -n "__fish_bulla_using_subcommand contact; and __fish_seen_subcommand_from verify" -l digits -d 'The digits that the contact sees, blanks ignored: a file, -, @ENV:NAME or @FD:N' -r -F
complete -c bulla -n "__fish_bulla_using_subcommand contact; and __fish_seen_subcommand_from verify" -l json -d 'Print one JSON object a line; errors end with one on stderr'
complete -c bulla -n "__fish_bulla_using_subcommand contact; and __fish_seen_subcommand_from verify" -s q -l quiet -d 'No progress, no notes: errors and warnings only'
complete -c bulla -n "__fish_bulla_using_subcommand contact; and __fish_seen_subcommand_from verify" -s v -l verbose -d 'Say more of what is done'
complete -c bulla -n "__fish_bulla_using_subcommand contact; and __fish_seen_subcommand_from verify" -l no-input -d 'Never ask: fail with status 14 where a passphrase would be asked for'
complete -c bulla -n "__fish_bulla_using_subcommand contact; and __fish_seen_subcommand_from verify" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c bulla -n "__fish_bulla_using_subcommand contact; and __fish_seen_subcommand_from renew" -s i -l identity -d 'Identity: a file, - for stdin, @ENV:NAME or @FD:N' -r -F
complete -c bulla -n "__fish_bulla_using_subcommand contact; and __fish_seen_subcommand_from renew" -l passphrase -d 'Passphrase of a locked identity: a file, -, @ENV:NAME or @FD:N' -r -F
complete -c bulla -n "__fish_bulla_using_subcommand contact; and __fish_seen_subcommand_from renew" -l json -d 'Print one JSON object a line; errors end with one on stderr'
complete -c bulla -n "__fish_bulla_using_subcommand contact; and __fish_seen_subcommand_from renew" -s q -l quiet -d 'No progress, no notes: errors and warnings only'
complete -c bulla -n "__fish_bulla_using_subcommand contact; and __fish_seen_subcommand_from renew" -s v -l verbose -d 'Say more of what is done'
complete -c bulla -n "__fish_bulla_using_subcommand contact; and __fish_seen_subcommand_from renew" -l no-input -d 'Never ask: fail with status 14 where a passphrase would be asked for'
complete -c bulla -n "__fish_bulla_using_subcommand contact; and __fish_seen_subcommand_from renew" -s h -l help -d 'Print help'
complete -c bulla -n "__fish_bulla_using_subcommand contact; and __fish_seen_subcommand_from drop" -s i -l identity -d 'Identity: a file, - for stdin, @ENV:NAME or @FD:N' -r -F
complete -c bulla -n "__fish_bulla_using_subcommand contact; and __fish_seen_subcommand_from drop" -l passphrase -d 'Passphrase of a locked identity: a file, -, @ENV:NAME or @FD:N' -r -F
complete -c bulla -n "__fish_bulla_using_subcommand contact; and __fish_seen_subcommand_from drop" -l json -d 'Print one JSON object a line; errors end with one on stderr'
complete -c bulla -n "__fish_bulla_using_subcommand contact; and __fish_seen_subcommand_from drop" -s q -l quiet -d 'No progress, no notes: errors and warnings only'
complete -c bulla -n "__fish_bulla_using_subcommand contact; and __fish_seen_subcommand_from drop" -s v -l verbose -d 'Say more of what is done'
complete -c bulla -n "__fish_bulla_using_subcommand contact; and __fish_seen_subcommand_from drop" -l no-input -d 'Never ask: fail with status 14 where a passphrase would be asked for'
complete -c bulla -n "__fish_bulla_using_subcommand contact; and __fish_seen_subcommand_from drop" -s h -l help -d 'Print help'
complete -c bulla -n "__fish_bulla_using_subcommand contact; and __fish_seen_subcommand_from revoke" -s i -l identity -d 'Identity: a file, - for stdin, @ENV:NAME or @FD:N' -r -F
complete -c bulla -n "__fish_bulla_using_subcommand contact; and __fish_seen_subcommand_from revoke" -l passphrase -d 'Passphrase of a locked identity: a file, -, @ENV:NAME or @FD:N' -r -F
complete -c bulla -n "__fish_bulla_using_subcommand contact; and __fish_seen_subcommand_from revoke" -l relay -d 'The relay. For push only where the card of the recipient names none' -r -f
complete -c bulla -n "__fish_bulla_using_subcommand contact; and __fish_seen_subcommand_from revoke" -l timeout -d 'Give up on one request after so long; one with a letter may take longer, at 1 KiB a second' -r
complete -c bulla -n "__fish_bulla_using_subcommand contact; and __fish_seen_subcommand_from revoke" -l retry -d 'Try so often again after a temporary failure' -r
complete -c bulla -n "__fish_bulla_using_subcommand contact; and __fish_seen_subcommand_from revoke" -l json -d 'Print one JSON object a line; errors end with one on stderr'
complete -c bulla -n "__fish_bulla_using_subcommand contact; and __fish_seen_subcommand_from revoke" -s q -l quiet -d 'No progress, no notes: errors and warnings only'
complete -c bulla -n "__fish_bulla_using_subcommand contact; and __fish_seen_subcommand_from revoke" -s v -l verbose -d 'Say more of what is done'
complete -c bulla -n "__fish_bulla_using_subcommand contact; and __fish_seen_subcommand_from revoke" -l no-input -d 'Never ask: fail with status 14 where a passphrase would be asked for'
complete -c bulla -n "__fish_bulla_using_subcommand contact; and __fish_seen_subcommand_from revoke" -l unlink -d 'Give each mailbox a Tor circuit of its own, so that the relay cannot tell that they are one person\'s. Takes ALL_PROXY=socks5h://…'
complete -c bulla -n "__fish_bulla_using_subcommand contact; and __fish_seen_subcommand_from revoke" -l undo -d 'Accept letters that the contact signs again; mailboxes stay closed'
complete -c bulla -n "__fish_bulla_using_subcommand contact; and __fish_seen_subcommand_from revoke" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c bulla -n "__fish_bulla_using_subcommand contact; and __fish_seen_subcommand_from remove" -s i -l identity -d 'Identity: a file, - for stdin, @ENV:NAME or @FD:N' -r -F
complete -c bulla -n "__fish_bulla_using_subcommand contact; and __fish_seen_subcommand_from remove" -l passphrase -d 'Passphrase of a locked identity: a file, -, @ENV:NAME or @FD:N' -r -F
complete -c bulla -n "__fish_bulla_using_subcommand contact; and __fish_seen_subcommand_from remove" -l relay -d 'The relay. For push only where the card of the recipient names none' -r -f
complete -c bulla -n "__fish_bulla_using_subcommand contact; and __fish_seen_subcommand_from remove" -l timeout -d 'Give up on one request after so long; one with a letter may take longer, at 1 KiB a second' -r
complete -c bulla -n "__fish_bulla_using_subcommand contact; and __fish_seen_subcommand_from remove" -l retry -d 'Try so often again after a temporary failure' -r
complete -c bulla -n "__fish_bulla_using_subcommand contact; and __fish_seen_subcommand_from remove" -l json -d 'Print one JSON object a line; errors end with one on stderr'
complete -c bulla -n "__fish_bulla_using_subcommand contact; and __fish_seen_subcommand_from remove" -s q -l quiet -d 'No progress, no notes: errors and warnings only'
complete -c bulla -n "__fish_bulla_using_subcommand contact; and __fish_seen_subcommand_from remove" -s v -l verbose -d 'Say more of what is done'
complete -c bulla -n "__fish_bulla_using_subcommand contact; and __fish_seen_subcommand_from remove" -l no-input -d 'Never ask: fail with status 14 where a passphrase would be asked for'
complete -c bulla -n "__fish_bulla_using_subcommand contact; and __fish_seen_subcommand_from remove" -l unlink -d 'Give each mailbox a Tor circuit of its own, so that the relay cannot tell that they are one person\'s. Takes ALL_PROXY=socks5h://…'
complete -c bulla -n "__fish_bulla_using_subcommand contact; and __fish_seen_subcommand_from remove" -s h -l help -d 'Print help'
complete -c bulla -n "__fish_bulla_using_subcommand seal" -l to -d 'A letter for a contact, or for the card in a file: ./FILE, FILE.card or card:FILE; may be given again' -r -F
complete -c bulla -n "__fish_bulla_using_subcommand seal" -s r -l recipient -d 'An age file for this recipient (age1…, age1pq1…); may be given again' -r
complete -c bulla -n "__fish_bulla_using_subcommand seal" -s R -l recipients-file -d 'An age file for the recipients listed in a file, one a line' -r -F
complete -c bulla -n "__fish_bulla_using_subcommand seal" -s i -l identity -d 'Identity: a file, - for stdin, @ENV:NAME or @FD:N' -r -F
complete -c bulla -n "__fish_bulla_using_subcommand seal" -l passphrase -d 'Passphrase of a locked identity: a file, -, @ENV:NAME or @FD:N' -r -F
complete -c bulla -n "__fish_bulla_using_subcommand seal" -s o -l output -d 'Write to a file, which appears when it is complete; - forces stdout' -r -F
complete -c bulla -n "__fish_bulla_using_subcommand seal" -l subject -d 'The letter\'s subject' -r
complete -c bulla -n "__fish_bulla_using_subcommand seal" -l name -d 'The file name the letter carries; that of FILE otherwise' -r
complete -c bulla -n "__fish_bulla_using_subcommand seal" -l type -d 'The content type the letter carries' -r
complete -c bulla -n "__fish_bulla_using_subcommand seal" -l header -d 'A header of your own in the letter; may be given again' -r
complete -c bulla -n "__fish_bulla_using_subcommand seal" -l from-command -d 'Seal what a shell command prints, and nothing when it fails' -r -f -a "(__fish_complete_command)"
complete -c bulla -n "__fish_bulla_using_subcommand seal" -l json -d 'Print one JSON object a line; errors end with one on stderr'
complete -c bulla -n "__fish_bulla_using_subcommand seal" -s q -l quiet -d 'No progress, no notes: errors and warnings only'
complete -c bulla -n "__fish_bulla_using_subcommand seal" -s v -l verbose -d 'Say more of what is done'
complete -c bulla -n "__fish_bulla_using_subcommand seal" -l no-input -d 'Never ask: fail with status 14 where a passphrase would be asked for'
complete -c bulla -n "__fish_bulla_using_subcommand seal" -s p -l ask-passphrase -d 'An age file for a passphrase asked on the terminal'
complete -c bulla -n "__fish_bulla_using_subcommand seal" -s f -l force -d 'Replace a file that exists'
complete -c bulla -n "__fish_bulla_using_subcommand seal" -s a -l armor -d 'Print the age file as text'
complete -c bulla -n "__fish_bulla_using_subcommand seal" -l anonymous -d 'Do not say who sends it'
complete -c bulla -n "__fish_bulla_using_subcommand seal" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c bulla -n "__fish_bulla_using_subcommand open" -s i -l identity -d 'Identity: a file, - for stdin, @ENV:NAME or @FD:N; may be given again' -r -F
complete -c bulla -n "__fish_bulla_using_subcommand open" -l passphrase -d 'Passphrase of the file, or of a locked identity: a file, -, @ENV:NAME or @FD:N' -r -F
complete -c bulla -n "__fish_bulla_using_subcommand open" -s o -l output -d 'Write to a file, which appears when it is complete; - forces stdout' -r -F
complete -c bulla -n "__fish_bulla_using_subcommand open" -l output-dir -d 'Write every letter to a file of its own in this folder' -r -f -a "(__fish_complete_directories)"
complete -c bulla -n "__fish_bulla_using_subcommand open" -l from -d 'Demand that this contact (or fingerprint) is the sender' -r
complete -c bulla -n "__fish_bulla_using_subcommand open" -l keep -d 'How long a letter that goes to a pipe can be opened again, at most 7d; 0 for not at all' -r
complete -c bulla -n "__fish_bulla_using_subcommand open" -l json -d 'Print one JSON object a line; errors end with one on stderr'
complete -c bulla -n "__fish_bulla_using_subcommand open" -s q -l quiet -d 'No progress, no notes: errors and warnings only'
complete -c bulla -n "__fish_bulla_using_subcommand open" -s v -l verbose -d 'Say more of what is done'
complete -c bulla -n "__fish_bulla_using_subcommand open" -l no-input -d 'Never ask: fail with status 14 where a passphrase would be asked for'
complete -c bulla -n "__fish_bulla_using_subcommand open" -s f -l force -d 'Replace a file that exists'
complete -c bulla -n "__fish_bulla_using_subcommand open" -l anonymous -d 'Let an anonymous letter reach stdout or -o'
complete -c bulla -n "__fish_bulla_using_subcommand open" -l unknown -d 'Let a letter from a sender who is no contact reach stdout or -o'
complete -c bulla -n "__fish_bulla_using_subcommand open" -l again -d 'Open letters that were opened before'
complete -c bulla -n "__fish_bulla_using_subcommand open" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c bulla -n "__fish_bulla_using_subcommand inspect" -l json -d 'Print one JSON object a line; errors end with one on stderr'
complete -c bulla -n "__fish_bulla_using_subcommand inspect" -s q -l quiet -d 'No progress, no notes: errors and warnings only'
complete -c bulla -n "__fish_bulla_using_subcommand inspect" -s v -l verbose -d 'Say more of what is done'
complete -c bulla -n "__fish_bulla_using_subcommand inspect" -l no-input -d 'Never ask: fail with status 14 where a passphrase would be asked for'
complete -c bulla -n "__fish_bulla_using_subcommand inspect" -s h -l help -d 'Print help'
complete -c bulla -n "__fish_bulla_using_subcommand backup" -l passphrase -d 'Seal it to the passphrase from a file, -, @ENV:NAME or @FD:N' -r -F
complete -c bulla -n "__fish_bulla_using_subcommand backup" -s r -l recipient -d 'Seal it to this recipient (age1…, age1pq1…); may be given again' -r
complete -c bulla -n "__fish_bulla_using_subcommand backup" -s R -l recipients-file -d 'Seal it to the recipients listed in a file, one a line' -r -F
complete -c bulla -n "__fish_bulla_using_subcommand backup" -s i -l identity -d 'Identity to keep: a file, - for stdin, @ENV:NAME or @FD:N' -r -F
complete -c bulla -n "__fish_bulla_using_subcommand backup" -l identity-passphrase -d 'Passphrase of that identity, when it is locked: a file, -, @ENV:NAME or @FD:N' -r -F
complete -c bulla -n "__fish_bulla_using_subcommand backup" -s o -l output -d 'Write to a file, which appears when it is complete; - forces stdout' -r -F
complete -c bulla -n "__fish_bulla_using_subcommand backup" -l json -d 'Print one JSON object a line; errors end with one on stderr'
complete -c bulla -n "__fish_bulla_using_subcommand backup" -s q -l quiet -d 'No progress, no notes: errors and warnings only'
complete -c bulla -n "__fish_bulla_using_subcommand backup" -s v -l verbose -d 'Say more of what is done'
complete -c bulla -n "__fish_bulla_using_subcommand backup" -l no-input -d 'Never ask: fail with status 14 where a passphrase would be asked for'
complete -c bulla -n "__fish_bulla_using_subcommand backup" -s p -l ask-passphrase -d 'Seal it to a passphrase asked on the terminal'
complete -c bulla -n "__fish_bulla_using_subcommand backup" -s f -l force -d 'Replace a file that exists'
complete -c bulla -n "__fish_bulla_using_subcommand backup" -s a -l armor -d 'Print the backup as text'
complete -c bulla -n "__fish_bulla_using_subcommand backup" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c bulla -n "__fish_bulla_using_subcommand restore" -s i -l identity -d 'The key that the backup is sealed to: a file, - for stdin, @ENV:NAME or @FD:N; may be given again' -r -F
complete -c bulla -n "__fish_bulla_using_subcommand restore" -l passphrase -d 'Passphrase of the backup, or of the locked key behind -i: a file, -, @ENV:NAME or @FD:N' -r -F
complete -c bulla -n "__fish_bulla_using_subcommand restore" -l identity-passphrase -d 'Passphrase of an identity that is here and locked, to see whether it is the same' -r -F
complete -c bulla -n "__fish_bulla_using_subcommand restore" -l lock -d 'Lock the restored identity with a new passphrase, asked on the terminal or from a file, -, @ENV:NAME or @FD:N' -r -F
complete -c bulla -n "__fish_bulla_using_subcommand restore" -l json -d 'Print one JSON object a line; errors end with one on stderr'
complete -c bulla -n "__fish_bulla_using_subcommand restore" -s q -l quiet -d 'No progress, no notes: errors and warnings only'
complete -c bulla -n "__fish_bulla_using_subcommand restore" -s v -l verbose -d 'Say more of what is done'
complete -c bulla -n "__fish_bulla_using_subcommand restore" -l no-input -d 'Never ask: fail with status 14 where a passphrase would be asked for'
complete -c bulla -n "__fish_bulla_using_subcommand restore" -s f -l force -d 'Replace another identity that is here, and state that is damaged'
complete -c bulla -n "__fish_bulla_using_subcommand restore" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c bulla -n "__fish_bulla_using_subcommand relay; and not __fish_seen_subcommand_from serve backup restore key token move register capability push pull list ack status" -l json -d 'Print one JSON object a line; errors end with one on stderr'
complete -c bulla -n "__fish_bulla_using_subcommand relay; and not __fish_seen_subcommand_from serve backup restore key token move register capability push pull list ack status" -s q -l quiet -d 'No progress, no notes: errors and warnings only'
complete -c bulla -n "__fish_bulla_using_subcommand relay; and not __fish_seen_subcommand_from serve backup restore key token move register capability push pull list ack status" -s v -l verbose -d 'Say more of what is done'
complete -c bulla -n "__fish_bulla_using_subcommand relay; and not __fish_seen_subcommand_from serve backup restore key token move register capability push pull list ack status" -l no-input -d 'Never ask: fail with status 14 where a passphrase would be asked for'
complete -c bulla -n "__fish_bulla_using_subcommand relay; and not __fish_seen_subcommand_from serve backup restore key token move register capability push pull list ack status" -s h -l help -d 'Print help'
complete -c bulla -n "__fish_bulla_using_subcommand relay; and not __fish_seen_subcommand_from serve backup restore key token move register capability push pull list ack status" -f -a "serve" -d 'Run a relay'
complete -c bulla -n "__fish_bulla_using_subcommand relay; and not __fish_seen_subcommand_from serve backup restore key token move register capability push pull list ack status" -f -a "backup" -d 'Write down who registered at a relay and who may push, without the messages'
complete -c bulla -n "__fish_bulla_using_subcommand relay; and not __fish_seen_subcommand_from serve backup restore key token move register capability push pull list ack status" -f -a "restore" -d 'Put a backup into a new store'
complete -c bulla -n "__fish_bulla_using_subcommand relay; and not __fish_seen_subcommand_from serve backup restore key token move register capability push pull list ack status" -f -a "key" -d 'Make the keys of a relay that no certificate authority knows'
complete -c bulla -n "__fish_bulla_using_subcommand relay; and not __fish_seen_subcommand_from serve backup restore key token move register capability push pull list ack status" -f -a "token" -d 'Give out tokens to register with at your relay'
complete -c bulla -n "__fish_bulla_using_subcommand relay; and not __fish_seen_subcommand_from serve backup restore key token move register capability push pull list ack status" -f -a "move" -d 'Move mailboxes from one cluster of a relay to another, while it serves them'
complete -c bulla -n "__fish_bulla_using_subcommand relay; and not __fish_seen_subcommand_from serve backup restore key token move register capability push pull list ack status" -f -a "register" -d 'Register your mailbox at a relay, and remember the relay as yours'
complete -c bulla -n "__fish_bulla_using_subcommand relay; and not __fish_seen_subcommand_from serve backup restore key token move register capability push pull list ack status" -f -a "capability" -d 'Say who may push to your mailbox, beside those who have your card'
complete -c bulla -n "__fish_bulla_using_subcommand relay; and not __fish_seen_subcommand_from serve backup restore key token move register capability push pull list ack status" -f -a "push" -d 'Push letters to the relays their envelopes name'
complete -c bulla -n "__fish_bulla_using_subcommand relay; and not __fish_seen_subcommand_from serve backup restore key token move register capability push pull list ack status" -f -a "pull" -d 'Take your letters from your relay'
complete -c bulla -n "__fish_bulla_using_subcommand relay; and not __fish_seen_subcommand_from serve backup restore key token move register capability push pull list ack status" -f -a "list" -d 'List what waits in your mailboxes'
complete -c bulla -n "__fish_bulla_using_subcommand relay; and not __fish_seen_subcommand_from serve backup restore key token move register capability push pull list ack status" -f -a "ack" -d 'Delete messages from your mailboxes by their ids'
complete -c bulla -n "__fish_bulla_using_subcommand relay; and not __fish_seen_subcommand_from serve backup restore key token move register capability push pull list ack status" -f -a "status" -d 'Show your mailboxes and what their relays allow'
complete -c bulla -n "__fish_bulla_using_subcommand relay; and __fish_seen_subcommand_from serve" -l store -d 'The folder with everything the relay keeps, or postgres://USER@HOST[:PORT][,HOST…]/DATABASE; given again for each further cluster' -r -f -a "(__fish_complete_directories)"
complete -c bulla -n "__fish_bulla_using_subcommand relay; and __fish_seen_subcommand_from serve" -l store-password -d 'The password of the databases: a file, -, @ENV:NAME or @FD:N. Without, the file that PGPASSFILE names' -r -F
complete -c bulla -n "__fish_bulla_using_subcommand relay; and __fish_seen_subcommand_from serve" -l blobs -d 'Where a store over PostgreSQL keeps long messages, instead of the database: s3://…, gs://…, az://… or file:///…' -r
complete -c bulla -n "__fish_bulla_using_subcommand relay; and __fish_seen_subcommand_from serve" -l listen -d 'Address and port to listen on; port 0 takes a free one, which is printed' -r
complete -c bulla -n "__fish_bulla_using_subcommand relay; and __fish_seen_subcommand_from serve" -l name -d 'Name that clients reach the relay by, with the port unless it is the scheme\'s own; may be given again. Needed when it listens on every address, or behind a proxy' -r
complete -c bulla -n "__fish_bulla_using_subcommand relay; and __fish_seen_subcommand_from serve" -l cert -d 'Certificate of an authority with the chain below it (PEM); read again when it changes' -r -F
complete -c bulla -n "__fish_bulla_using_subcommand relay; and __fish_seen_subcommand_from serve" -l key -d 'Key of --cert (PEM)' -r -F
complete -c bulla -n "__fish_bulla_using_subcommand relay; and __fish_seen_subcommand_from serve" -l online -d 'Online key that relay key made; the address then bears the offline key' -r -F
complete -c bulla -n "__fish_bulla_using_subcommand relay; and __fish_seen_subcommand_from serve" -l acme -d 'Get a certificate for this name by ACME over TLS on port 443, and renew it, agreeing to the authority\'s terms; may be given again' -r
complete -c bulla -n "__fish_bulla_using_subcommand relay; and __fish_seen_subcommand_from serve" -l acme-contact -d 'Where the authority may write to' -r -f
complete -c bulla -n "__fish_bulla_using_subcommand relay; and __fish_seen_subcommand_from serve" -l acme-cache -d 'Folder for account and certificate; acme in the store, if that is a folder' -r -f -a "(__fish_complete_directories)"
complete -c bulla -n "__fish_bulla_using_subcommand relay; and __fish_seen_subcommand_from serve" -l acme-directory -d 'Directory of the authority' -r -f
complete -c bulla -n "__fish_bulla_using_subcommand relay; and __fish_seen_subcommand_from serve" -l connections -d 'Greatest number of connections, if the process may open so many files' -r
complete -c bulla -n "__fish_bulla_using_subcommand relay; and __fish_seen_subcommand_from serve" -l ttl -d 'Delete what was not fetched after so long (30d, 12h)' -r
complete -c bulla -n "__fish_bulla_using_subcommand relay; and __fish_seen_subcommand_from serve" -l max-message -d 'Greatest message (64M, 1G)' -r
complete -c bulla -n "__fish_bulla_using_subcommand relay; and __fish_seen_subcommand_from serve" -l mailbox-messages -d 'Greatest number of messages that wait in one mailbox' -r
complete -c bulla -n "__fish_bulla_using_subcommand relay; and __fish_seen_subcommand_from serve" -l mailbox-size -d 'Greatest size of one mailbox' -r
complete -c bulla -n "__fish_bulla_using_subcommand relay; and __fish_seen_subcommand_from serve" -l store-size -d 'Greatest size of all mailboxes together' -r
complete -c bulla -n "__fish_bulla_using_subcommand relay; and __fish_seen_subcommand_from serve" -l registration -d 'Who may register a mailbox: anybody, or who shows a token made with relay token new' -r -f -a "open\t'Anybody'
token\t'Who has a token of the operator'"
complete -c bulla -n "__fish_bulla_using_subcommand relay; and __fish_seen_subcommand_from serve" -l admin -d 'Socket file for relay token and relay status [default: admin.sock in the folder of the store]' -r -F
complete -c bulla -n "__fish_bulla_using_subcommand relay; and __fish_seen_subcommand_from serve" -l metrics -d 'Serve GET /metrics, for Prometheus, on this address too' -r
complete -c bulla -n "__fish_bulla_using_subcommand relay; and __fish_seen_subcommand_from serve" -l json -d 'Print one JSON object a line; errors end with one on stderr'
complete -c bulla -n "__fish_bulla_using_subcommand relay; and __fish_seen_subcommand_from serve" -s q -l quiet -d 'No progress, no notes: errors and warnings only'
complete -c bulla -n "__fish_bulla_using_subcommand relay; and __fish_seen_subcommand_from serve" -s v -l verbose -d 'Say more of what is done'
complete -c bulla -n "__fish_bulla_using_subcommand relay; and __fish_seen_subcommand_from serve" -l no-input -d 'Never ask: fail with status 14 where a passphrase would be asked for'
complete -c bulla -n "__fish_bulla_using_subcommand relay; and __fish_seen_subcommand_from serve" -l proxied -d 'Believe a proxy on this machine when it says in X-Forwarded-For whom it speaks for. Not for onion services, where anybody could'
complete -c bulla -n "__fish_bulla_using_subcommand relay; and __fish_seen_subcommand_from serve" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c bulla -n "__fish_bulla_using_subcommand relay; and __fish_seen_subcommand_from backup" -l store -d 'The folder with everything the relay keeps, or postgres://USER@HOST[:PORT][,HOST…]/DATABASE; given again for each further cluster' -r -f -a "(__fish_complete_directories)"
complete -c bulla -n "__fish_bulla_using_subcommand relay; and __fish_seen_subcommand_from backup" -l store-password -d 'The password of the databases: a file, -, @ENV:NAME or @FD:N. Without, the file that PGPASSFILE names' -r -F
complete -c bulla -n "__fish_bulla_using_subcommand relay; and __fish_seen_subcommand_from backup" -l admin -d 'The socket file of the relay [default: admin.sock in the folder of the store]' -r -F
complete -c bulla -n "__fish_bulla_using_subcommand relay; and __fish_seen_subcommand_from backup" -s o -l output -d 'Write to a file, which appears when it is complete; - forces stdout' -r -F
complete -c bulla -n "__fish_bulla_using_subcommand relay; and __fish_seen_subcommand_from backup" -l json -d 'Print one JSON object a line; errors end with one on stderr'
complete -c bulla -n "__fish_bulla_using_subcommand relay; and __fish_seen_subcommand_from backup" -s q -l quiet -d 'No progress, no notes: errors and warnings only'
complete -c bulla -n "__fish_bulla_using_subcommand relay; and __fish_seen_subcommand_from backup" -s v -l verbose -d 'Say more of what is done'
complete -c bulla -n "__fish_bulla_using_subcommand relay; and __fish_seen_subcommand_from backup" -l no-input -d 'Never ask: fail with status 14 where a passphrase would be asked for'
complete -c bulla -n "__fish_bulla_using_subcommand relay; and __fish_seen_subcommand_from backup" -s f -l force -d 'Replace a file that exists'
complete -c bulla -n "__fish_bulla_using_subcommand relay; and __fish_seen_subcommand_from backup" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c bulla -n "__fish_bulla_using_subcommand relay; and __fish_seen_subcommand_from restore" -l store -d 'The folder with everything the relay keeps, or postgres://USER@HOST[:PORT][,HOST…]/DATABASE; given again for each further cluster' -r -f -a "(__fish_complete_directories)"
complete -c bulla -n "__fish_bulla_using_subcommand relay; and __fish_seen_subcommand_from restore" -l store-password -d 'The password of the databases: a file, -, @ENV:NAME or @FD:N. Without, the file that PGPASSFILE names' -r -F
complete -c bulla -n "__fish_bulla_using_subcommand relay; and __fish_seen_subcommand_from restore" -l json -d 'Print one JSON object a line; errors end with one on stderr'
complete -c bulla -n "__fish_bulla_using_subcommand relay; and __fish_seen_subcommand_from restore" -s q -l quiet -d 'No progress, no notes: errors and warnings only'
complete -c bulla -n "__fish_bulla_using_subcommand relay; and __fish_seen_subcommand_from restore" -s v -l verbose -d 'Say more of what is done'
complete -c bulla -n "__fish_bulla_using_subcommand relay; and __fish_seen_subcommand_from restore" -l no-input -d 'Never ask: fail with status 14 where a passphrase would be asked for'
complete -c bulla -n "__fish_bulla_using_subcommand relay; and __fish_seen_subcommand_from restore" -s h -l help -d 'Print help'
complete -c bulla -n "__fish_bulla_using_subcommand relay; and __fish_seen_subcommand_from key" -l json -d 'Print one JSON object a line; errors end with one on stderr'
complete -c bulla -n "__fish_bulla_using_subcommand relay; and __fish_seen_subcommand_from key" -s q -l quiet -d 'No progress, no notes: errors and warnings only'
complete -c bulla -n "__fish_bulla_using_subcommand relay; and __fish_seen_subcommand_from key" -s v -l verbose -d 'Say more of what is done'
complete -c bulla -n "__fish_bulla_using_subcommand relay; and __fish_seen_subcommand_from key" -l no-input -d 'Never ask: fail with status 14 where a passphrase would be asked for'
complete -c bulla -n "__fish_bulla_using_subcommand relay; and __fish_seen_subcommand_from key" -s h -l help -d 'Print help'
complete -c bulla -n "__fish_bulla_using_subcommand relay; and __fish_seen_subcommand_from key" -f -a "new" -d 'Make a relay\'s offline key and its first online key'
complete -c bulla -n "__fish_bulla_using_subcommand relay; and __fish_seen_subcommand_from key" -f -a "rotate" -d 'Make a relay\'s next online key, signed by its offline key; the address stays'
complete -c bulla -n "__fish_bulla_using_subcommand relay; and __fish_seen_subcommand_from token" -l json -d 'Print one JSON object a line; errors end with one on stderr'
complete -c bulla -n "__fish_bulla_using_subcommand relay; and __fish_seen_subcommand_from token" -s q -l quiet -d 'No progress, no notes: errors and warnings only'
complete -c bulla -n "__fish_bulla_using_subcommand relay; and __fish_seen_subcommand_from token" -s v -l verbose -d 'Say more of what is done'
complete -c bulla -n "__fish_bulla_using_subcommand relay; and __fish_seen_subcommand_from token" -l no-input -d 'Never ask: fail with status 14 where a passphrase would be asked for'
complete -c bulla -n "__fish_bulla_using_subcommand relay; and __fish_seen_subcommand_from token" -s h -l help -d 'Print help'
complete -c bulla -n "__fish_bulla_using_subcommand relay; and __fish_seen_subcommand_from token" -f -a "new" -d 'Make a token with which mailboxes are registered'
complete -c bulla -n "__fish_bulla_using_subcommand relay; and __fish_seen_subcommand_from token" -f -a "list" -d 'List the tokens'
complete -c bulla -n "__fish_bulla_using_subcommand relay; and __fish_seen_subcommand_from token" -f -a "revoke" -d 'Take tokens back; what was registered with them stays'
complete -c bulla -n "__fish_bulla_using_subcommand relay; and __fish_seen_subcommand_from move" -l store -d 'The folder with everything the relay keeps, or postgres://USER@HOST[:PORT][,HOST…]/DATABASE; given again for each further cluster' -r -f -a "(__fish_complete_directories)"
complete -c bulla -n "__fish_bulla_using_subcommand relay; and __fish_seen_subcommand_from move" -l store-password -d 'The password of the databases: a file, -, @ENV:NAME or @FD:N. Without, the file that PGPASSFILE names' -r -F
complete -c bulla -n "__fish_bulla_using_subcommand relay; and __fish_seen_subcommand_from move" -l slots -d 'The slots, of 0 to 1023' -r
complete -c bulla -n "__fish_bulla_using_subcommand relay; and __fish_seen_subcommand_from move" -l to -d 'The cluster they go to, one of those named with --store' -r
complete -c bulla -n "__fish_bulla_using_subcommand relay; and __fish_seen_subcommand_from move" -l json -d 'Print one JSON object a line; errors end with one on stderr'
complete -c bulla -n "__fish_bulla_using_subcommand relay; and __fish_seen_subcommand_from move" -s q -l quiet -d 'No progress, no notes: errors and warnings only'
complete -c bulla -n "__fish_bulla_using_subcommand relay; and __fish_seen_subcommand_from move" -s v -l verbose -d 'Say more of what is done'
complete -c bulla -n "__fish_bulla_using_subcommand relay; and __fish_seen_subcommand_from move" -l no-input -d 'Never ask: fail with status 14 where a passphrase would be asked for'
complete -c bulla -n "__fish_bulla_using_subcommand relay; and __fish_seen_subcommand_from move" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c bulla -n "__fish_bulla_using_subcommand relay; and __fish_seen_subcommand_from register" -s i -l identity -d 'Identity: a file, - for stdin, @ENV:NAME or @FD:N' -r -F
complete -c bulla -n "__fish_bulla_using_subcommand relay; and __fish_seen_subcommand_from register" -l passphrase -d 'Passphrase of a locked identity: a file, -, @ENV:NAME or @FD:N' -r -F
complete -c bulla -n "__fish_bulla_using_subcommand relay; and __fish_seen_subcommand_from register" -l relay -d 'The relay. For push only where the card of the recipient names none' -r -f
complete -c bulla -n "__fish_bulla_using_subcommand relay; and __fish_seen_subcommand_from register" -l timeout -d 'Give up on one request after so long; one with a letter may take longer, at 1 KiB a second' -r
complete -c bulla -n "__fish_bulla_using_subcommand relay; and __fish_seen_subcommand_from register" -l retry -d 'Try so often again after a temporary failure' -r
complete -c bulla -n "__fish_bulla_using_subcommand relay; and __fish_seen_subcommand_from register" -l token -d 'The token the relay\'s operator gave you: a file, -, @ENV:NAME or @FD:N' -r -F
complete -c bulla -n "__fish_bulla_using_subcommand relay; and __fish_seen_subcommand_from register" -l hourly -d 'Most letters that are pushed in one hour' -r
complete -c bulla -n "__fish_bulla_using_subcommand relay; and __fish_seen_subcommand_from register" -l max-messages -d 'Most letters that wait at once' -r
complete -c bulla -n "__fish_bulla_using_subcommand relay; and __fish_seen_subcommand_from register" -l max-bytes -d 'Most bytes that wait at once (64M, 1G)' -r
complete -c bulla -n "__fish_bulla_using_subcommand relay; and __fish_seen_subcommand_from register" -l total -d 'Most letters that are pushed at all' -r
complete -c bulla -n "__fish_bulla_using_subcommand relay; and __fish_seen_subcommand_from register" -l expires -d 'When it ends (30d, 12h), to the full hour' -r
complete -c bulla -n "__fish_bulla_using_subcommand relay; and __fish_seen_subcommand_from register" -l json -d 'Print one JSON object a line; errors end with one on stderr'
complete -c bulla -n "__fish_bulla_using_subcommand relay; and __fish_seen_subcommand_from register" -s q -l quiet -d 'No progress, no notes: errors and warnings only'
complete -c bulla -n "__fish_bulla_using_subcommand relay; and __fish_seen_subcommand_from register" -s v -l verbose -d 'Say more of what is done'
complete -c bulla -n "__fish_bulla_using_subcommand relay; and __fish_seen_subcommand_from register" -l no-input -d 'Never ask: fail with status 14 where a passphrase would be asked for'
complete -c bulla -n "__fish_bulla_using_subcommand relay; and __fish_seen_subcommand_from register" -l unlink -d 'Give each mailbox a Tor circuit of its own, so that the relay cannot tell that they are one person\'s. Takes ALL_PROXY=socks5h://…'
complete -c bulla -n "__fish_bulla_using_subcommand relay; and __fish_seen_subcommand_from register" -l renew -d 'Put a new capability on your card, and revoke the one before'
complete -c bulla -n "__fish_bulla_using_subcommand relay; and __fish_seen_subcommand_from register" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c bulla -n "__fish_bulla_using_subcommand relay; and __fish_seen_subcommand_from capability" -l json -d 'Print one JSON object a line; errors end with one on stderr'
complete -c bulla -n "__fish_bulla_using_subcommand relay; and __fish_seen_subcommand_from capability" -s q -l quiet -d 'No progress, no notes: errors and warnings only'
complete -c bulla -n "__fish_bulla_using_subcommand relay; and __fish_seen_subcommand_from capability" -s v -l verbose -d 'Say more of what is done'
complete -c bulla -n "__fish_bulla_using_subcommand relay; and __fish_seen_subcommand_from capability" -l no-input -d 'Never ask: fail with status 14 where a passphrase would be asked for'
complete -c bulla -n "__fish_bulla_using_subcommand relay; and __fish_seen_subcommand_from capability" -s h -l help -d 'Print help'
complete -c bulla -n "__fish_bulla_using_subcommand relay; and __fish_seen_subcommand_from capability" -f -a "list" -d 'List who may push, and what came of it'
complete -c bulla -n "__fish_bulla_using_subcommand relay; and __fish_seen_subcommand_from capability" -f -a "new" -d 'Let somebody push: print a capability for him, or open the mailbox to all'
complete -c bulla -n "__fish_bulla_using_subcommand relay; and __fish_seen_subcommand_from capability" -f -a "revoke" -d 'Let somebody push no more'
complete -c bulla -n "__fish_bulla_using_subcommand relay; and __fish_seen_subcommand_from push" -l relay -d 'The relay. For push only where the card of the recipient names none' -r -f
complete -c bulla -n "__fish_bulla_using_subcommand relay; and __fish_seen_subcommand_from push" -l timeout -d 'Give up on one request after so long; one with a letter may take longer, at 1 KiB a second' -r
complete -c bulla -n "__fish_bulla_using_subcommand relay; and __fish_seen_subcommand_from push" -l retry -d 'Try so often again after a temporary failure' -r
complete -c bulla -n "__fish_bulla_using_subcommand relay; and __fish_seen_subcommand_from push" -l capability -d 'Show this capability, not the one on the envelopes: a file, -, @ENV:NAME or @FD:N' -r -F
complete -c bulla -n "__fish_bulla_using_subcommand relay; and __fish_seen_subcommand_from push" -l json -d 'Print one JSON object a line; errors end with one on stderr'
complete -c bulla -n "__fish_bulla_using_subcommand relay; and __fish_seen_subcommand_from push" -s q -l quiet -d 'No progress, no notes: errors and warnings only'
complete -c bulla -n "__fish_bulla_using_subcommand relay; and __fish_seen_subcommand_from push" -s v -l verbose -d 'Say more of what is done'
complete -c bulla -n "__fish_bulla_using_subcommand relay; and __fish_seen_subcommand_from push" -l no-input -d 'Never ask: fail with status 14 where a passphrase would be asked for'
complete -c bulla -n "__fish_bulla_using_subcommand relay; and __fish_seen_subcommand_from push" -l unlink -d 'Give each mailbox a Tor circuit of its own, so that the relay cannot tell that they are one person\'s. Takes ALL_PROXY=socks5h://…'
complete -c bulla -n "__fish_bulla_using_subcommand relay; and __fish_seen_subcommand_from push" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c bulla -n "__fish_bulla_using_subcommand relay; and __fish_seen_subcommand_from pull" -s i -l identity -d 'Identity: a file, - for stdin, @ENV:NAME or @FD:N' -r -F
complete -c bulla -n "__fish_bulla_using_subcommand relay; and __fish_seen_subcommand_from pull" -l passphrase -d 'Passphrase of a locked identity: a file, -, @ENV:NAME or @FD:N' -r -F
complete -c bulla -n "__fish_bulla_using_subcommand relay; and __fish_seen_subcommand_from pull" -l relay -d 'The relay. For push only where the card of the recipient names none' -r -f
complete -c bulla -n "__fish_bulla_using_subcommand relay; and __fish_seen_subcommand_from pull" -l timeout -d 'Give up on one request after so long; one with a letter may take longer, at 1 KiB a second' -r
complete -c bulla -n "__fish_bulla_using_subcommand relay; and __fish_seen_subcommand_from pull" -l retry -d 'Try so often again after a temporary failure' -r
complete -c bulla -n "__fish_bulla_using_subcommand relay; and __fish_seen_subcommand_from pull" -l wait -d 'Wait up to so long for the first letter' -r
complete -c bulla -n "__fish_bulla_using_subcommand relay; and __fish_seen_subcommand_from pull" -l output-dir -d 'Write each sealed letter to a file of its own in this folder' -r -f -a "(__fish_complete_directories)"
complete -c bulla -n "__fish_bulla_using_subcommand relay; and __fish_seen_subcommand_from pull" -l exec -d 'Run a shell command for each letter: the letter on its stdin, its id in BULLA_ID' -r -f -a "(__fish_complete_command)"
complete -c bulla -n "__fish_bulla_using_subcommand relay; and __fish_seen_subcommand_from pull" -l keep -d 'How long what goes to stdout can be given out again, at most 7d; 0 for not at all' -r
complete -c bulla -n "__fish_bulla_using_subcommand relay; and __fish_seen_subcommand_from pull" -l limit -d 'Take at most so many' -r
complete -c bulla -n "__fish_bulla_using_subcommand relay; and __fish_seen_subcommand_from pull" -l max-size -d 'Leave letters at the relay that are longer than this (64M, 2G), and end with 25' -r
complete -c bulla -n "__fish_bulla_using_subcommand relay; and __fish_seen_subcommand_from pull" -l json -d 'Print one JSON object a line; errors end with one on stderr'
complete -c bulla -n "__fish_bulla_using_subcommand relay; and __fish_seen_subcommand_from pull" -s q -l quiet -d 'No progress, no notes: errors and warnings only'
complete -c bulla -n "__fish_bulla_using_subcommand relay; and __fish_seen_subcommand_from pull" -s v -l verbose -d 'Say more of what is done'
complete -c bulla -n "__fish_bulla_using_subcommand relay; and __fish_seen_subcommand_from pull" -l no-input -d 'Never ask: fail with status 14 where a passphrase would be asked for'
complete -c bulla -n "__fish_bulla_using_subcommand relay; and __fish_seen_subcommand_from pull" -l unlink -d 'Give each mailbox a Tor circuit of its own, so that the relay cannot tell that they are one person\'s. Takes ALL_PROXY=socks5h://…'
complete -c bulla -n "__fish_bulla_using_subcommand relay; and __fish_seen_subcommand_from pull" -l follow -d 'Do not end: give out each letter as it arrives'
complete -c bulla -n "__fish_bulla_using_subcommand relay; and __fish_seen_subcommand_from pull" -l peek -d 'Give out copies: delete nothing at the relay, and give out the same again next time'
complete -c bulla -n "__fish_bulla_using_subcommand relay; and __fish_seen_subcommand_from pull" -l again -d 'Give out again what went to a pipe before and may be lost, also when it was opened'
complete -c bulla -n "__fish_bulla_using_subcommand relay; and __fish_seen_subcommand_from pull" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c bulla -n "__fish_bulla_using_subcommand relay; and __fish_seen_subcommand_from list" -s i -l identity -d 'Identity: a file, - for stdin, @ENV:NAME or @FD:N' -r -F
complete -c bulla -n "__fish_bulla_using_subcommand relay; and __fish_seen_subcommand_from list" -l passphrase -d 'Passphrase of a locked identity: a file, -, @ENV:NAME or @FD:N' -r -F
complete -c bulla -n "__fish_bulla_using_subcommand relay; and __fish_seen_subcommand_from list" -l relay -d 'The relay. For push only where the card of the recipient names none' -r -f
complete -c bulla -n "__fish_bulla_using_subcommand relay; and __fish_seen_subcommand_from list" -l timeout -d 'Give up on one request after so long; one with a letter may take longer, at 1 KiB a second' -r
complete -c bulla -n "__fish_bulla_using_subcommand relay; and __fish_seen_subcommand_from list" -l retry -d 'Try so often again after a temporary failure' -r
complete -c bulla -n "__fish_bulla_using_subcommand relay; and __fish_seen_subcommand_from list" -l json -d 'Print one JSON object a line; errors end with one on stderr'
complete -c bulla -n "__fish_bulla_using_subcommand relay; and __fish_seen_subcommand_from list" -s q -l quiet -d 'No progress, no notes: errors and warnings only'
complete -c bulla -n "__fish_bulla_using_subcommand relay; and __fish_seen_subcommand_from list" -s v -l verbose -d 'Say more of what is done'
complete -c bulla -n "__fish_bulla_using_subcommand relay; and __fish_seen_subcommand_from list" -l no-input -d 'Never ask: fail with status 14 where a passphrase would be asked for'
complete -c bulla -n "__fish_bulla_using_subcommand relay; and __fish_seen_subcommand_from list" -l unlink -d 'Give each mailbox a Tor circuit of its own, so that the relay cannot tell that they are one person\'s. Takes ALL_PROXY=socks5h://…'
complete -c bulla -n "__fish_bulla_using_subcommand relay; and __fish_seen_subcommand_from list" -s 0 -l null -d 'End each id with a NUL byte and print nothing else'
complete -c bulla -n "__fish_bulla_using_subcommand relay; and __fish_seen_subcommand_from list" -s h -l help -d 'Print help'
complete -c bulla -n "__fish_bulla_using_subcommand relay; and __fish_seen_subcommand_from ack" -s i -l identity -d 'Identity: a file, - for stdin, @ENV:NAME or @FD:N' -r -F
complete -c bulla -n "__fish_bulla_using_subcommand relay; and __fish_seen_subcommand_from ack" -l passphrase -d 'Passphrase of a locked identity: a file, -, @ENV:NAME or @FD:N' -r -F
complete -c bulla -n "__fish_bulla_using_subcommand relay; and __fish_seen_subcommand_from ack" -l relay -d 'The relay. For push only where the card of the recipient names none' -r -f
complete -c bulla -n "__fish_bulla_using_subcommand relay; and __fish_seen_subcommand_from ack" -l timeout -d 'Give up on one request after so long; one with a letter may take longer, at 1 KiB a second' -r
complete -c bulla -n "__fish_bulla_using_subcommand relay; and __fish_seen_subcommand_from ack" -l retry -d 'Try so often again after a temporary failure' -r
complete -c bulla -n "__fish_bulla_using_subcommand relay; and __fish_seen_subcommand_from ack" -l json -d 'Print one JSON object a line; errors end with one on stderr'
complete -c bulla -n "__fish_bulla_using_subcommand relay; and __fish_seen_subcommand_from ack" -s q -l quiet -d 'No progress, no notes: errors and warnings only'
complete -c bulla -n "__fish_bulla_using_subcommand relay; and __fish_seen_subcommand_from ack" -s v -l verbose -d 'Say more of what is done'
complete -c bulla -n "__fish_bulla_using_subcommand relay; and __fish_seen_subcommand_from ack" -l no-input -d 'Never ask: fail with status 14 where a passphrase would be asked for'
complete -c bulla -n "__fish_bulla_using_subcommand relay; and __fish_seen_subcommand_from ack" -l unlink -d 'Give each mailbox a Tor circuit of its own, so that the relay cannot tell that they are one person\'s. Takes ALL_PROXY=socks5h://…'
complete -c bulla -n "__fish_bulla_using_subcommand relay; and __fish_seen_subcommand_from ack" -s h -l help -d 'Print help'
complete -c bulla -n "__fish_bulla_using_subcommand relay; and __fish_seen_subcommand_from status" -s i -l identity -d 'Identity: a file, - for stdin, @ENV:NAME or @FD:N' -r -F
complete -c bulla -n "__fish_bulla_using_subcommand relay; and __fish_seen_subcommand_from status" -l passphrase -d 'Passphrase of a locked identity: a file, -, @ENV:NAME or @FD:N' -r -F
complete -c bulla -n "__fish_bulla_using_subcommand relay; and __fish_seen_subcommand_from status" -l relay -d 'The relay. For push only where the card of the recipient names none' -r -f
complete -c bulla -n "__fish_bulla_using_subcommand relay; and __fish_seen_subcommand_from status" -l timeout -d 'Give up on one request after so long; one with a letter may take longer, at 1 KiB a second' -r
complete -c bulla -n "__fish_bulla_using_subcommand relay; and __fish_seen_subcommand_from status" -l retry -d 'Try so often again after a temporary failure' -r
complete -c bulla -n "__fish_bulla_using_subcommand relay; and __fish_seen_subcommand_from status" -l store -d 'For the operator: totals of the relay with this store, a folder or postgres://…' -r -f -a "(__fish_complete_directories)"
complete -c bulla -n "__fish_bulla_using_subcommand relay; and __fish_seen_subcommand_from status" -l store-password -d 'The password of the databases: a file, -, @ENV:NAME or @FD:N' -r -F
complete -c bulla -n "__fish_bulla_using_subcommand relay; and __fish_seen_subcommand_from status" -l admin -d 'The socket file of that relay [default: admin.sock in the folder of the store]' -r -F
complete -c bulla -n "__fish_bulla_using_subcommand relay; and __fish_seen_subcommand_from status" -l json -d 'Print one JSON object a line; errors end with one on stderr'
complete -c bulla -n "__fish_bulla_using_subcommand relay; and __fish_seen_subcommand_from status" -s q -l quiet -d 'No progress, no notes: errors and warnings only'
complete -c bulla -n "__fish_bulla_using_subcommand relay; and __fish_seen_subcommand_from status" -s v -l verbose -d 'Say more of what is done'
complete -c bulla -n "__fish_bulla_using_subcommand relay; and __fish_seen_subcommand_from status" -l no-input -d 'Never ask: fail with status 14 where a passphrase would be asked for'
complete -c bulla -n "__fish_bulla_using_subcommand relay; and __fish_seen_subcommand_from status" -l unlink -d 'Give each mailbox a Tor circuit of its own, so that the relay cannot tell that they are one person\'s. Takes ALL_PROXY=socks5h://…'
complete -c bulla -n "__fish_bulla_using_subcommand relay; and __fish_seen_subcommand_from status" -s h -l help -d 'Print help'
complete -c bulla -n "__fish_bulla_using_subcommand index; and not __fish_seen_subcommand_from build add remove show stats verify purge rekey destroy" -l json -d 'Print one JSON object a line; errors end with one on stderr'
complete -c bulla -n "__fish_bulla_using_subcommand index; and not __fish_seen_subcommand_from build add remove show stats verify purge rekey destroy" -s q -l quiet -d 'No progress, no notes: errors and warnings only'
complete -c bulla -n "__fish_bulla_using_subcommand index; and not __fish_seen_subcommand_from build add remove show stats verify purge rekey destroy" -s v -l verbose -d 'Say more of what is done'
complete -c bulla -n "__fish_bulla_using_subcommand index; and not __fish_seen_subcommand_from build add remove show stats verify purge rekey destroy" -l no-input -d 'Never ask: fail with status 14 where a passphrase would be asked for'
complete -c bulla -n "__fish_bulla_using_subcommand index; and not __fish_seen_subcommand_from build add remove show stats verify purge rekey destroy" -s h -l help -d 'Print help'
complete -c bulla -n "__fish_bulla_using_subcommand index; and not __fish_seen_subcommand_from build add remove show stats verify purge rekey destroy" -f -a "build" -d 'Index folders and files: mbox, Maildir, .eml, PDF, HTML, Markdown, code, text'
complete -c bulla -n "__fish_bulla_using_subcommand index; and not __fish_seen_subcommand_from build add remove show stats verify purge rekey destroy" -f -a "add" -d 'Index the JSON lines of open --json'
complete -c bulla -n "__fish_bulla_using_subcommand index; and not __fish_seen_subcommand_from build add remove show stats verify purge rekey destroy" -f -a "remove" -d 'Remove documents by id or by query'
complete -c bulla -n "__fish_bulla_using_subcommand index; and not __fish_seen_subcommand_from build add remove show stats verify purge rekey destroy" -f -a "show" -d 'Give a document back'
complete -c bulla -n "__fish_bulla_using_subcommand index; and not __fish_seen_subcommand_from build add remove show stats verify purge rekey destroy" -f -a "stats" -d 'Show how much the index holds'
complete -c bulla -n "__fish_bulla_using_subcommand index; and not __fish_seen_subcommand_from build add remove show stats verify purge rekey destroy" -f -a "verify" -d 'Open every cell of the index and report damage'
complete -c bulla -n "__fish_bulla_using_subcommand index; and not __fish_seen_subcommand_from build add remove show stats verify purge rekey destroy" -f -a "purge" -d 'Make deleted what was removed or replaced: nothing opens it any more'
complete -c bulla -n "__fish_bulla_using_subcommand index; and not __fish_seen_subcommand_from build add remove show stats verify purge rekey destroy" -f -a "rekey" -d 'Change the index key, and seal everything anew'
complete -c bulla -n "__fish_bulla_using_subcommand index; and not __fish_seen_subcommand_from build add remove show stats verify purge rekey destroy" -f -a "destroy" -d 'Destroy the index: the key first, then the rest'
complete -c bulla -n "__fish_bulla_using_subcommand index; and __fish_seen_subcommand_from build" -s i -l identity -d 'Identity: a file, - for stdin, @ENV:NAME or @FD:N' -r -F
complete -c bulla -n "__fish_bulla_using_subcommand index; and __fish_seen_subcommand_from build" -l passphrase -d 'Passphrase of a locked identity: a file, -, @ENV:NAME or @FD:N' -r -F
complete -c bulla -n "__fish_bulla_using_subcommand index; and __fish_seen_subcommand_from build" -l index -d 'The index\'s folder' -r -f -a "(__fish_complete_directories)"
complete -c bulla -n "__fish_bulla_using_subcommand index; and __fish_seen_subcommand_from build" -l exclude -d 'Leave out what matches, as a line of .gitignore does; again for more' -r
complete -c bulla -n "__fish_bulla_using_subcommand index; and __fish_seen_subcommand_from build" -l type -d 'Read these alone: mail, html, markdown, text, code, json, pdf' -r
complete -c bulla -n "__fish_bulla_using_subcommand index; and __fish_seen_subcommand_from build" -l max-size -d 'Leave out files and messages larger than this, 64M unless said; an mbox may have any size' -r
complete -c bulla -n "__fish_bulla_using_subcommand index; and __fish_seen_subcommand_from build" -l stem -d 'Find the other forms of a word too, in these languages: en, de, fr, and others; for a new index' -r
complete -c bulla -n "__fish_bulla_using_subcommand index; and __fish_seen_subcommand_from build" -l json -d 'Print one JSON object a line; errors end with one on stderr'
complete -c bulla -n "__fish_bulla_using_subcommand index; and __fish_seen_subcommand_from build" -s q -l quiet -d 'No progress, no notes: errors and warnings only'
complete -c bulla -n "__fish_bulla_using_subcommand index; and __fish_seen_subcommand_from build" -s v -l verbose -d 'Say more of what is done'
complete -c bulla -n "__fish_bulla_using_subcommand index; and __fish_seen_subcommand_from build" -l no-input -d 'Never ask: fail with status 14 where a passphrase would be asked for'
complete -c bulla -n "__fish_bulla_using_subcommand index; and __fish_seen_subcommand_from build" -l gitignore -d 'Leave out what git leaves out: what .gitignore says, and .git'
complete -c bulla -n "__fish_bulla_using_subcommand index; and __fish_seen_subcommand_from build" -s L -l follow -d 'Follow links within folders'
complete -c bulla -n "__fish_bulla_using_subcommand index; and __fish_seen_subcommand_from build" -l reread -d 'Read again what looks unchanged, and bring back what was removed by hand'
complete -c bulla -n "__fish_bulla_using_subcommand index; and __fish_seen_subcommand_from build" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c bulla -n "__fish_bulla_using_subcommand index; and __fish_seen_subcommand_from add" -s i -l identity -d 'Identity: a file, - for stdin, @ENV:NAME or @FD:N' -r -F
complete -c bulla -n "__fish_bulla_using_subcommand index; and __fish_seen_subcommand_from add" -l passphrase -d 'Passphrase of a locked identity: a file, -, @ENV:NAME or @FD:N' -r -F
complete -c bulla -n "__fish_bulla_using_subcommand index; and __fish_seen_subcommand_from add" -l index -d 'The index\'s folder' -r -f -a "(__fish_complete_directories)"
complete -c bulla -n "__fish_bulla_using_subcommand index; and __fish_seen_subcommand_from add" -l json -d 'Print one JSON object a line; errors end with one on stderr'
complete -c bulla -n "__fish_bulla_using_subcommand index; and __fish_seen_subcommand_from add" -s q -l quiet -d 'No progress, no notes: errors and warnings only'
complete -c bulla -n "__fish_bulla_using_subcommand index; and __fish_seen_subcommand_from add" -s v -l verbose -d 'Say more of what is done'
complete -c bulla -n "__fish_bulla_using_subcommand index; and __fish_seen_subcommand_from add" -l no-input -d 'Never ask: fail with status 14 where a passphrase would be asked for'
complete -c bulla -n "__fish_bulla_using_subcommand index; and __fish_seen_subcommand_from add" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c bulla -n "__fish_bulla_using_subcommand index; and __fish_seen_subcommand_from remove" -s i -l identity -d 'Identity: a file, - for stdin, @ENV:NAME or @FD:N' -r -F
complete -c bulla -n "__fish_bulla_using_subcommand index; and __fish_seen_subcommand_from remove" -l passphrase -d 'Passphrase of a locked identity: a file, -, @ENV:NAME or @FD:N' -r -F
complete -c bulla -n "__fish_bulla_using_subcommand index; and __fish_seen_subcommand_from remove" -l index -d 'The index\'s folder' -r -f -a "(__fish_complete_directories)"
complete -c bulla -n "__fish_bulla_using_subcommand index; and __fish_seen_subcommand_from remove" -l json -d 'Print one JSON object a line; errors end with one on stderr'
complete -c bulla -n "__fish_bulla_using_subcommand index; and __fish_seen_subcommand_from remove" -s q -l quiet -d 'No progress, no notes: errors and warnings only'
complete -c bulla -n "__fish_bulla_using_subcommand index; and __fish_seen_subcommand_from remove" -s v -l verbose -d 'Say more of what is done'
complete -c bulla -n "__fish_bulla_using_subcommand index; and __fish_seen_subcommand_from remove" -l no-input -d 'Never ask: fail with status 14 where a passphrase would be asked for'
complete -c bulla -n "__fish_bulla_using_subcommand index; and __fish_seen_subcommand_from remove" -s h -l help -d 'Print help'
complete -c bulla -n "__fish_bulla_using_subcommand index; and __fish_seen_subcommand_from show" -s i -l identity -d 'Identity: a file, - for stdin, @ENV:NAME or @FD:N' -r -F
complete -c bulla -n "__fish_bulla_using_subcommand index; and __fish_seen_subcommand_from show" -l passphrase -d 'Passphrase of a locked identity: a file, -, @ENV:NAME or @FD:N' -r -F
complete -c bulla -n "__fish_bulla_using_subcommand index; and __fish_seen_subcommand_from show" -l index -d 'The index\'s folder' -r -f -a "(__fish_complete_directories)"
complete -c bulla -n "__fish_bulla_using_subcommand index; and __fish_seen_subcommand_from show" -s o -l output -d 'Write to a file, which appears when it is complete; - forces stdout' -r -F
complete -c bulla -n "__fish_bulla_using_subcommand index; and __fish_seen_subcommand_from show" -l part -d 'Give one part of the original, by its number in the list' -r
complete -c bulla -n "__fish_bulla_using_subcommand index; and __fish_seen_subcommand_from show" -l attachment -d 'Give one attachment, by its file name or its number among the attachments' -r
complete -c bulla -n "__fish_bulla_using_subcommand index; and __fish_seen_subcommand_from show" -l json -d 'Print one JSON object a line; errors end with one on stderr'
complete -c bulla -n "__fish_bulla_using_subcommand index; and __fish_seen_subcommand_from show" -s q -l quiet -d 'No progress, no notes: errors and warnings only'
complete -c bulla -n "__fish_bulla_using_subcommand index; and __fish_seen_subcommand_from show" -s v -l verbose -d 'Say more of what is done'
complete -c bulla -n "__fish_bulla_using_subcommand index; and __fish_seen_subcommand_from show" -l no-input -d 'Never ask: fail with status 14 where a passphrase would be asked for'
complete -c bulla -n "__fish_bulla_using_subcommand index; and __fish_seen_subcommand_from show" -s f -l force -d 'Replace a file that exists'
complete -c bulla -n "__fish_bulla_using_subcommand index; and __fish_seen_subcommand_from show" -l text -d 'Print what is indexed, as text'
complete -c bulla -n "__fish_bulla_using_subcommand index; and __fish_seen_subcommand_from show" -l list -d 'List the parts of the original'
complete -c bulla -n "__fish_bulla_using_subcommand index; and __fish_seen_subcommand_from show" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c bulla -n "__fish_bulla_using_subcommand index; and __fish_seen_subcommand_from stats" -s i -l identity -d 'Identity: a file, - for stdin, @ENV:NAME or @FD:N' -r -F
complete -c bulla -n "__fish_bulla_using_subcommand index; and __fish_seen_subcommand_from stats" -l passphrase -d 'Passphrase of a locked identity: a file, -, @ENV:NAME or @FD:N' -r -F
complete -c bulla -n "__fish_bulla_using_subcommand index; and __fish_seen_subcommand_from stats" -l index -d 'The index\'s folder' -r -f -a "(__fish_complete_directories)"
complete -c bulla -n "__fish_bulla_using_subcommand index; and __fish_seen_subcommand_from stats" -l json -d 'Print one JSON object a line; errors end with one on stderr'
complete -c bulla -n "__fish_bulla_using_subcommand index; and __fish_seen_subcommand_from stats" -s q -l quiet -d 'No progress, no notes: errors and warnings only'
complete -c bulla -n "__fish_bulla_using_subcommand index; and __fish_seen_subcommand_from stats" -s v -l verbose -d 'Say more of what is done'
complete -c bulla -n "__fish_bulla_using_subcommand index; and __fish_seen_subcommand_from stats" -l no-input -d 'Never ask: fail with status 14 where a passphrase would be asked for'
complete -c bulla -n "__fish_bulla_using_subcommand index; and __fish_seen_subcommand_from stats" -s h -l help -d 'Print help'
complete -c bulla -n "__fish_bulla_using_subcommand index; and __fish_seen_subcommand_from verify" -s i -l identity -d 'Identity: a file, - for stdin, @ENV:NAME or @FD:N' -r -F
complete -c bulla -n "__fish_bulla_using_subcommand index; and __fish_seen_subcommand_from verify" -l passphrase -d 'Passphrase of a locked identity: a file, -, @ENV:NAME or @FD:N' -r -F
complete -c bulla -n "__fish_bulla_using_subcommand index; and __fish_seen_subcommand_from verify" -l index -d 'The index\'s folder' -r -f -a "(__fish_complete_directories)"
complete -c bulla -n "__fish_bulla_using_subcommand index; and __fish_seen_subcommand_from verify" -l json -d 'Print one JSON object a line; errors end with one on stderr'
complete -c bulla -n "__fish_bulla_using_subcommand index; and __fish_seen_subcommand_from verify" -s q -l quiet -d 'No progress, no notes: errors and warnings only'
complete -c bulla -n "__fish_bulla_using_subcommand index; and __fish_seen_subcommand_from verify" -s v -l verbose -d 'Say more of what is done'
complete -c bulla -n "__fish_bulla_using_subcommand index; and __fish_seen_subcommand_from verify" -l no-input -d 'Never ask: fail with status 14 where a passphrase would be asked for'
complete -c bulla -n "__fish_bulla_using_subcommand index; and __fish_seen_subcommand_from verify" -s h -l help -d 'Print help'
complete -c bulla -n "__fish_bulla_using_subcommand index; and __fish_seen_subcommand_from purge" -s i -l identity -d 'Identity: a file, - for stdin, @ENV:NAME or @FD:N' -r -F
complete -c bulla -n "__fish_bulla_using_subcommand index; and __fish_seen_subcommand_from purge" -l passphrase -d 'Passphrase of a locked identity: a file, -, @ENV:NAME or @FD:N' -r -F
complete -c bulla -n "__fish_bulla_using_subcommand index; and __fish_seen_subcommand_from purge" -l index -d 'The index\'s folder' -r -f -a "(__fish_complete_directories)"
complete -c bulla -n "__fish_bulla_using_subcommand index; and __fish_seen_subcommand_from purge" -l json -d 'Print one JSON object a line; errors end with one on stderr'
complete -c bulla -n "__fish_bulla_using_subcommand index; and __fish_seen_subcommand_from purge" -s q -l quiet -d 'No progress, no notes: errors and warnings only'
complete -c bulla -n "__fish_bulla_using_subcommand index; and __fish_seen_subcommand_from purge" -s v -l verbose -d 'Say more of what is done'
complete -c bulla -n "__fish_bulla_using_subcommand index; and __fish_seen_subcommand_from purge" -l no-input -d 'Never ask: fail with status 14 where a passphrase would be asked for'
complete -c bulla -n "__fish_bulla_using_subcommand index; and __fish_seen_subcommand_from purge" -s h -l help -d 'Print help'
complete -c bulla -n "__fish_bulla_using_subcommand index; and __fish_seen_subcommand_from rekey" -s i -l identity -d 'Identity: a file, - for stdin, @ENV:NAME or @FD:N' -r -F
complete -c bulla -n "__fish_bulla_using_subcommand index; and __fish_seen_subcommand_from rekey" -l passphrase -d 'Passphrase of a locked identity: a file, -, @ENV:NAME or @FD:N' -r -F
complete -c bulla -n "__fish_bulla_using_subcommand index; and __fish_seen_subcommand_from rekey" -l index -d 'The index\'s folder' -r -f -a "(__fish_complete_directories)"
complete -c bulla -n "__fish_bulla_using_subcommand index; and __fish_seen_subcommand_from rekey" -l json -d 'Print one JSON object a line; errors end with one on stderr'
complete -c bulla -n "__fish_bulla_using_subcommand index; and __fish_seen_subcommand_from rekey" -s q -l quiet -d 'No progress, no notes: errors and warnings only'
complete -c bulla -n "__fish_bulla_using_subcommand index; and __fish_seen_subcommand_from rekey" -s v -l verbose -d 'Say more of what is done'
complete -c bulla -n "__fish_bulla_using_subcommand index; and __fish_seen_subcommand_from rekey" -l no-input -d 'Never ask: fail with status 14 where a passphrase would be asked for'
complete -c bulla -n "__fish_bulla_using_subcommand index; and __fish_seen_subcommand_from rekey" -s h -l help -d 'Print help'
complete -c bulla -n "__fish_bulla_using_subcommand index; and __fish_seen_subcommand_from destroy" -s i -l identity -d 'Identity: a file, - for stdin, @ENV:NAME or @FD:N' -r -F
complete -c bulla -n "__fish_bulla_using_subcommand index; and __fish_seen_subcommand_from destroy" -l passphrase -d 'Passphrase of a locked identity: a file, -, @ENV:NAME or @FD:N' -r -F
complete -c bulla -n "__fish_bulla_using_subcommand index; and __fish_seen_subcommand_from destroy" -l index -d 'The index\'s folder' -r -f -a "(__fish_complete_directories)"
complete -c bulla -n "__fish_bulla_using_subcommand index; and __fish_seen_subcommand_from destroy" -l json -d 'Print one JSON object a line; errors end with one on stderr'
complete -c bulla -n "__fish_bulla_using_subcommand index; and __fish_seen_subcommand_from destroy" -s q -l quiet -d 'No progress, no notes: errors and warnings only'
complete -c bulla -n "__fish_bulla_using_subcommand index; and __fish_seen_subcommand_from destroy" -s v -l verbose -d 'Say more of what is done'
complete -c bulla -n "__fish_bulla_using_subcommand index; and __fish_seen_subcommand_from destroy" -l no-input -d 'Never ask: fail with status 14 where a passphrase would be asked for'
complete -c bulla -n "__fish_bulla_using_subcommand index; and __fish_seen_subcommand_from destroy" -s f -l force -d 'Do it'
complete -c bulla -n "__fish_bulla_using_subcommand index; and __fish_seen_subcommand_from destroy" -s h -l help -d 'Print help'
complete -c bulla -n "__fish_bulla_using_subcommand search" -s i -l identity -d 'Identity: a file, - for stdin, @ENV:NAME or @FD:N' -r -F
complete -c bulla -n "__fish_bulla_using_subcommand search" -l passphrase -d 'Passphrase of a locked identity: a file, -, @ENV:NAME or @FD:N' -r -F
complete -c bulla -n "__fish_bulla_using_subcommand search" -l index -d 'The index\'s folder' -r -f -a "(__fish_complete_directories)"
complete -c bulla -n "__fish_bulla_using_subcommand search" -l sort -d 'The order of what is printed' -r -f -a "date\t'Newest first'
oldest\t'Oldest first'
relevance\t'Best match first'"
complete -c bulla -n "__fish_bulla_using_subcommand search" -l limit -d 'Print at most so many; 0 for all' -r
complete -c bulla -n "__fish_bulla_using_subcommand search" -l offset -d 'Leave so many out before the first' -r
complete -c bulla -n "__fish_bulla_using_subcommand search" -l format -d 'Print each match as this says, see below' -r
complete -c bulla -n "__fish_bulla_using_subcommand search" -l json -d 'Print one JSON object a line; errors end with one on stderr'
complete -c bulla -n "__fish_bulla_using_subcommand search" -s q -l quiet -d 'No progress, no notes: errors and warnings only'
complete -c bulla -n "__fish_bulla_using_subcommand search" -s v -l verbose -d 'Say more of what is done'
complete -c bulla -n "__fish_bulla_using_subcommand search" -l no-input -d 'Never ask: fail with status 14 where a passphrase would be asked for'
complete -c bulla -n "__fish_bulla_using_subcommand search" -l count -d 'Print the number of matches alone'
complete -c bulla -n "__fish_bulla_using_subcommand search" -l threads -d 'Print a line a thread: its newest match, how many it has, who takes part'
complete -c bulla -n "__fish_bulla_using_subcommand search" -l ids -d 'Print the ids alone'
complete -c bulla -n "__fish_bulla_using_subcommand search" -s 0 -l null -d 'End each id, path or format with a NUL byte; alone, print the ids'
complete -c bulla -n "__fish_bulla_using_subcommand search" -s l -l files-with-matches -d 'Print the files that hold matches, each once'
complete -c bulla -n "__fish_bulla_using_subcommand search" -l explain -d 'Print how the query is understood, and search nothing'
complete -c bulla -n "__fish_bulla_using_subcommand search" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c bulla -n "__fish_bulla_using_subcommand tag" -s i -l identity -d 'Identity: a file, - for stdin, @ENV:NAME or @FD:N' -r -F
complete -c bulla -n "__fish_bulla_using_subcommand tag" -l passphrase -d 'Passphrase of a locked identity: a file, -, @ENV:NAME or @FD:N' -r -F
complete -c bulla -n "__fish_bulla_using_subcommand tag" -l index -d 'The index\'s folder' -r -f -a "(__fish_complete_directories)"
complete -c bulla -n "__fish_bulla_using_subcommand tag" -l add -d 'Put this tag on each, as +TAG does; may be given again' -r
complete -c bulla -n "__fish_bulla_using_subcommand tag" -l remove -d 'Take this tag off each, as -TAG does; may be given again' -r
complete -c bulla -n "__fish_bulla_using_subcommand tag" -l json -d 'Print one JSON object a line; errors end with one on stderr'
complete -c bulla -n "__fish_bulla_using_subcommand tag" -s q -l quiet -d 'No progress, no notes: errors and warnings only'
complete -c bulla -n "__fish_bulla_using_subcommand tag" -s v -l verbose -d 'Say more of what is done'
complete -c bulla -n "__fish_bulla_using_subcommand tag" -l no-input -d 'Never ask: fail with status 14 where a passphrase would be asked for'
complete -c bulla -n "__fish_bulla_using_subcommand tag" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c bulla -n "__fish_bulla_using_subcommand agent; and not __fish_seen_subcommand_from lock status hold" -s i -l identity -d 'Identity: a file, - for stdin, @ENV:NAME or @FD:N' -r -F
complete -c bulla -n "__fish_bulla_using_subcommand agent; and not __fish_seen_subcommand_from lock status hold" -l passphrase -d 'Passphrase of a locked identity: a file, -, @ENV:NAME or @FD:N' -r -F
complete -c bulla -n "__fish_bulla_using_subcommand agent; and not __fish_seen_subcommand_from lock status hold" -l for -d 'Forget the key after this time: seconds, or 15m, 8h, 1d' -r
complete -c bulla -n "__fish_bulla_using_subcommand agent; and not __fish_seen_subcommand_from lock status hold" -l json -d 'Print one JSON object a line; errors end with one on stderr'
complete -c bulla -n "__fish_bulla_using_subcommand agent; and not __fish_seen_subcommand_from lock status hold" -s q -l quiet -d 'No progress, no notes: errors and warnings only'
complete -c bulla -n "__fish_bulla_using_subcommand agent; and not __fish_seen_subcommand_from lock status hold" -s v -l verbose -d 'Say more of what is done'
complete -c bulla -n "__fish_bulla_using_subcommand agent; and not __fish_seen_subcommand_from lock status hold" -l no-input -d 'Never ask: fail with status 14 where a passphrase would be asked for'
complete -c bulla -n "__fish_bulla_using_subcommand agent; and not __fish_seen_subcommand_from lock status hold" -l foreground -d 'Stay in the foreground, as a service manager wants it'
complete -c bulla -n "__fish_bulla_using_subcommand agent; and not __fish_seen_subcommand_from lock status hold" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c bulla -n "__fish_bulla_using_subcommand agent; and not __fish_seen_subcommand_from lock status hold" -f -a "lock" -d 'Forget all keys now, and end'
complete -c bulla -n "__fish_bulla_using_subcommand agent; and not __fish_seen_subcommand_from lock status hold" -f -a "status" -d 'Say whether an agent holds keys, and for how long'
complete -c bulla -n "__fish_bulla_using_subcommand agent; and not __fish_seen_subcommand_from lock status hold" -f -a "hold" -d 'Hold the keys that come on stdin'
complete -c bulla -n "__fish_bulla_using_subcommand agent; and __fish_seen_subcommand_from lock" -l json -d 'Print one JSON object a line; errors end with one on stderr'
complete -c bulla -n "__fish_bulla_using_subcommand agent; and __fish_seen_subcommand_from lock" -s q -l quiet -d 'No progress, no notes: errors and warnings only'
complete -c bulla -n "__fish_bulla_using_subcommand agent; and __fish_seen_subcommand_from lock" -s v -l verbose -d 'Say more of what is done'
complete -c bulla -n "__fish_bulla_using_subcommand agent; and __fish_seen_subcommand_from lock" -l no-input -d 'Never ask: fail with status 14 where a passphrase would be asked for'
complete -c bulla -n "__fish_bulla_using_subcommand agent; and __fish_seen_subcommand_from lock" -s h -l help -d 'Print help'
complete -c bulla -n "__fish_bulla_using_subcommand agent; and __fish_seen_subcommand_from status" -l json -d 'Print one JSON object a line; errors end with one on stderr'
complete -c bulla -n "__fish_bulla_using_subcommand agent; and __fish_seen_subcommand_from status" -s q -l quiet -d 'No progress, no notes: errors and warnings only'
complete -c bulla -n "__fish_bulla_using_subcommand agent; and __fish_seen_subcommand_from status" -s v -l verbose -d 'Say more of what is done'
complete -c bulla -n "__fish_bulla_using_subcommand agent; and __fish_seen_subcommand_from status" -l no-input -d 'Never ask: fail with status 14 where a passphrase would be asked for'
complete -c bulla -n "__fish_bulla_using_subcommand agent; and __fish_seen_subcommand_from status" -s h -l help -d 'Print help'
complete -c bulla -n "__fish_bulla_using_subcommand agent; and __fish_seen_subcommand_from hold" -l json -d 'Print one JSON object a line; errors end with one on stderr'
complete -c bulla -n "__fish_bulla_using_subcommand agent; and __fish_seen_subcommand_from hold" -s q -l quiet -d 'No progress, no notes: errors and warnings only'
complete -c bulla -n "__fish_bulla_using_subcommand agent; and __fish_seen_subcommand_from hold" -s v -l verbose -d 'Say more of what is done'
complete -c bulla -n "__fish_bulla_using_subcommand agent; and __fish_seen_subcommand_from hold" -l no-input -d 'Never ask: fail with status 14 where a passphrase would be asked for'
complete -c bulla -n "__fish_bulla_using_subcommand agent; and __fish_seen_subcommand_from hold" -s h -l help -d 'Print help'
complete -c bulla -n "__fish_bulla_using_subcommand completions" -l json -d 'Print one JSON object a line; errors end with one on stderr'
complete -c bulla -n "__fish_bulla_using_subcommand completions" -s q -l quiet -d 'No progress, no notes: errors and warnings only'
complete -c bulla -n "__fish_bulla_using_subcommand completions" -s v -l verbose -d 'Say more of what is done'
complete -c bulla -n "__fish_bulla_using_subcommand completions" -l no-input -d 'Never ask: fail with status 14 where a passphrase would be asked for'
complete -c bulla -n "__fish_bulla_using_subcommand completions" -s h -l help -d 'Print help'
complete -c bulla -n "__fish_bulla_using_subcommand man" -l json -d 'Print one JSON object a line; errors end with one on stderr'
complete -c bulla -n "__fish_bulla_using_subcommand man" -s q -l quiet -d 'No progress, no notes: errors and warnings only'
complete -c bulla -n "__fish_bulla_using_subcommand man" -s v -l verbose -d 'Say more of what is done'
complete -c bulla -n "__fish_bulla_using_subcommand man" -l no-input -d 'Never ask: fail with status 14 where a passphrase would be asked for'
complete -c bulla -n "__fish_bulla_using_subcommand man" -s h -l help -d 'Print help'
