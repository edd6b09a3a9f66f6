
using namespace System.Management.Automation
using namespace System.Management.Automation.Language

Register-ArgumentCompleter -Native -CommandName 'bulla' -ScriptBlock {
    param($wordToComplete, $commandAst, $cursorPosition)

    $commandElements = $commandAst.CommandElements
    $command = @(
        'bulla'
        for ($i = 1; $i -lt $commandElements.Count; $i++) {
            $element = $commandElements[$i]
            if ($element -isnot [StringConstantExpressionAst] -or
                $element.StringConstantType -ne [StringConstantType]::BareWord -or
                $element.Value.StartsWith('-') -or
                $element.Value -eq $wordToComplete) {
                break
        }
        $element.Value
    }) -join ';'

    $completions = @(switch ($command) {
        'bulla' {
            [CompletionResult]::new('--json', '--json', [CompletionResultType]::ParameterName, 'Print one JSON object a line; errors end with one on stderr')
            [CompletionResult]::new('-q', '-q', [CompletionResultType]::ParameterName, 'No progress, no notes: errors and warnings only')
            [CompletionResult]::new('--quiet', '--quiet', [CompletionResultType]::ParameterName, 'No progress, no notes: errors and warnings only')
            [CompletionResult]::new('-v', '-v', [CompletionResultType]::ParameterName, 'Say more of what is done')
            [CompletionResult]::new('--verbose', '--verbose', [CompletionResultType]::ParameterName, 'Say more of what is done')
            [CompletionResult]::new('--no-input', '--no-input', [CompletionResultType]::ParameterName, 'Never ask: fail with status 14 where a passphrase would be asked for')
            [CompletionResult]::new('-h', '-h', [CompletionResultType]::ParameterName, 'Print help (see more with ''--help'')')
            [CompletionResult]::new('--help', '--help', [CompletionResultType]::ParameterName, 'Print help (see more with ''--help'')')
            [CompletionResult]::new('-V', '-V ', [CompletionResultType]::ParameterName, 'Print version')
            [CompletionResult]::new('--version', '--version', [CompletionResultType]::ParameterName, 'Print version')
            [CompletionResult]::new('keygen', 'keygen', [CompletionResultType]::ParameterValue, 'Make a secret identity')
            [CompletionResult]::new('card', 'card', [CompletionResultType]::ParameterValue, 'Print the public card of an identity, to hand out')
            [CompletionResult]::new('contact', 'contact', [CompletionResultType]::ParameterValue, 'Keep the book of contacts')
            [CompletionResult]::new('seal', 'seal', [CompletionResultType]::ParameterValue, 'Seal a stream: an age file, or letters when --to names who they are for')
            [CompletionResult]::new('open', 'open', [CompletionResultType]::ParameterValue, 'Open what was sealed for you')
            [CompletionResult]::new('inspect', 'inspect', [CompletionResultType]::ParameterValue, 'Show what anybody can see of something sealed, without a key')
            [CompletionResult]::new('relay', 'relay', [CompletionResultType]::ParameterValue, 'Run a relay, push to one, pull from one')
            [CompletionResult]::new('index', 'index', [CompletionResultType]::ParameterValue, 'Build and keep the encrypted index')
            [CompletionResult]::new('search', 'search', [CompletionResultType]::ParameterValue, 'Find words in the encrypted index')
            [CompletionResult]::new('completions', 'completions', [CompletionResultType]::ParameterValue, 'Print a shell''s completion script')
            [CompletionResult]::new('man', 'man', [CompletionResultType]::ParameterValue, 'Print a man page')
            break
        }
        'bulla;keygen' {
            [CompletionResult]::new('-o', '-o', [CompletionResultType]::ParameterName, 'Write to a file, which appears when it is complete; - forces stdout')
            [CompletionResult]::new('--output', '--output', [CompletionResultType]::ParameterName, 'Write to a file, which appears when it is complete; - forces stdout')
            [CompletionResult]::new('--passphrase', '--passphrase', [CompletionResultType]::ParameterName, 'Lock it with the passphrase from a file, -, @ENV:NAME or @FD:N')
            [CompletionResult]::new('--age', '--age', [CompletionResultType]::ParameterName, 'Make a plain age identity instead, for use with age itself')
            [CompletionResult]::new('-f', '-f', [CompletionResultType]::ParameterName, 'Replace a file that exists')
            [CompletionResult]::new('--force', '--force', [CompletionResultType]::ParameterName, 'Replace a file that exists')
            [CompletionResult]::new('-d', '-d', [CompletionResultType]::ParameterName, 'Write to the place where every verb looks for the identity')
            [CompletionResult]::new('--default', '--default', [CompletionResultType]::ParameterName, 'Write to the place where every verb looks for the identity')
            [CompletionResult]::new('-p', '-p', [CompletionResultType]::ParameterName, 'Lock the identity with a passphrase asked on the terminal')
            [CompletionResult]::new('--lock', '--lock', [CompletionResultType]::ParameterName, 'Lock the identity with a passphrase asked on the terminal')
            [CompletionResult]::new('--json', '--json', [CompletionResultType]::ParameterName, 'Print one JSON object a line; errors end with one on stderr')
            [CompletionResult]::new('-q', '-q', [CompletionResultType]::ParameterName, 'No progress, no notes: errors and warnings only')
            [CompletionResult]::new('--quiet', '--quiet', [CompletionResultType]::ParameterName, 'No progress, no notes: errors and warnings only')
            [CompletionResult]::new('-v', '-v', [CompletionResultType]::ParameterName, 'Say more of what is done')
            [CompletionResult]::new('--verbose', '--verbose', [CompletionResultType]::ParameterName, 'Say more of what is done')
            [CompletionResult]::new('--no-input', '--no-input', [CompletionResultType]::ParameterName, 'Never ask: fail with status 14 where a passphrase would be asked for')
            [CompletionResult]::new('-h', '-h', [CompletionResultType]::ParameterName, 'Print help (see more with ''--help'')')
            [CompletionResult]::new('--help', '--help', [CompletionResultType]::ParameterName, 'Print help (see more with ''--help'')')
            break
        }
        'bulla;card' {
            [CompletionResult]::new('-i', '-i', [CompletionResultType]::ParameterName, 'Identity: a file, - for stdin, @ENV:NAME or @FD:N')
            [CompletionResult]::new('--identity', '--identity', [CompletionResultType]::ParameterName, 'Identity: a file, - for stdin, @ENV:NAME or @FD:N')
            [CompletionResult]::new('--passphrase', '--passphrase', [CompletionResultType]::ParameterName, 'Passphrase of a locked identity: a file, -, @ENV:NAME or @FD:N')
            [CompletionResult]::new('--name', '--name', [CompletionResultType]::ParameterName, 'The name to put on the card; whoever adds it may choose another')
            [CompletionResult]::new('--relay', '--relay', [CompletionResultType]::ParameterName, 'The relay where first letters are to be pushed')
            [CompletionResult]::new('--recipient', '--recipient', [CompletionResultType]::ParameterName, 'Print the age recipient alone, for users of age')
            [CompletionResult]::new('--json', '--json', [CompletionResultType]::ParameterName, 'Print one JSON object a line; errors end with one on stderr')
            [CompletionResult]::new('-q', '-q', [CompletionResultType]::ParameterName, 'No progress, no notes: errors and warnings only')
            [CompletionResult]::new('--quiet', '--quiet', [CompletionResultType]::ParameterName, 'No progress, no notes: errors and warnings only')
            [CompletionResult]::new('-v', '-v', [CompletionResultType]::ParameterName, 'Say more of what is done')
            [CompletionResult]::new('--verbose', '--verbose', [CompletionResultType]::ParameterName, 'Say more of what is done')
            [CompletionResult]::new('--no-input', '--no-input', [CompletionResultType]::ParameterName, 'Never ask: fail with status 14 where a passphrase would be asked for')
            [CompletionResult]::new('-h', '-h', [CompletionResultType]::ParameterName, 'Print help (see more with ''--help'')')
            [CompletionResult]::new('--help', '--help', [CompletionResultType]::ParameterName, 'Print help (see more with ''--help'')')
            break
        }
        'bulla;contact' {
            [CompletionResult]::new('--json', '--json', [CompletionResultType]::ParameterName, 'Print one JSON object a line; errors end with one on stderr')
            [CompletionResult]::new('-q', '-q', [CompletionResultType]::ParameterName, 'No progress, no notes: errors and warnings only')
            [CompletionResult]::new('--quiet', '--quiet', [CompletionResultType]::ParameterName, 'No progress, no notes: errors and warnings only')
            [CompletionResult]::new('-v', '-v', [CompletionResultType]::ParameterName, 'Say more of what is done')
            [CompletionResult]::new('--verbose', '--verbose', [CompletionResultType]::ParameterName, 'Say more of what is done')
            [CompletionResult]::new('--no-input', '--no-input', [CompletionResultType]::ParameterName, 'Never ask: fail with status 14 where a passphrase would be asked for')
            [CompletionResult]::new('-h', '-h', [CompletionResultType]::ParameterName, 'Print help')
            [CompletionResult]::new('--help', '--help', [CompletionResultType]::ParameterName, 'Print help')
            [CompletionResult]::new('add', 'add', [CompletionResultType]::ParameterValue, 'Add somebody by a card')
            [CompletionResult]::new('list', 'list', [CompletionResultType]::ParameterValue, 'List the contacts')
            [CompletionResult]::new('show', 'show', [CompletionResultType]::ParameterValue, 'Show one contact whole')
            [CompletionResult]::new('rename', 'rename', [CompletionResultType]::ParameterValue, 'Give a contact another name')
            [CompletionResult]::new('remove', 'remove', [CompletionResultType]::ParameterValue, 'Forget a contact')
            break
        }
        'bulla;contact;add' {
            [CompletionResult]::new('-i', '-i', [CompletionResultType]::ParameterName, 'Identity: a file, - for stdin, @ENV:NAME or @FD:N')
            [CompletionResult]::new('--identity', '--identity', [CompletionResultType]::ParameterName, 'Identity: a file, - for stdin, @ENV:NAME or @FD:N')
            [CompletionResult]::new('--passphrase', '--passphrase', [CompletionResultType]::ParameterName, 'Passphrase of a locked identity: a file, -, @ENV:NAME or @FD:N')
            [CompletionResult]::new('--json', '--json', [CompletionResultType]::ParameterName, 'Print one JSON object a line; errors end with one on stderr')
            [CompletionResult]::new('-q', '-q', [CompletionResultType]::ParameterName, 'No progress, no notes: errors and warnings only')
            [CompletionResult]::new('--quiet', '--quiet', [CompletionResultType]::ParameterName, 'No progress, no notes: errors and warnings only')
            [CompletionResult]::new('-v', '-v', [CompletionResultType]::ParameterName, 'Say more of what is done')
            [CompletionResult]::new('--verbose', '--verbose', [CompletionResultType]::ParameterName, 'Say more of what is done')
            [CompletionResult]::new('--no-input', '--no-input', [CompletionResultType]::ParameterName, 'Never ask: fail with status 14 where a passphrase would be asked for')
            [CompletionResult]::new('-h', '-h', [CompletionResultType]::ParameterName, 'Print help (see more with ''--help'')')
            [CompletionResult]::new('--help', '--help', [CompletionResultType]::ParameterName, 'Print help (see more with ''--help'')')
            break
        }
        'bulla;contact;list' {
            [CompletionResult]::new('-i', '-i', [CompletionResultType]::ParameterName, 'Identity: a file, - for stdin, @ENV:NAME or @FD:N')
            [CompletionResult]::new('--identity', '--identity', [CompletionResultType]::ParameterName, 'Identity: a file, - for stdin, @ENV:NAME or @FD:N')
            [CompletionResult]::new('--passphrase', '--passphrase', [CompletionResultType]::ParameterName, 'Passphrase of a locked identity: a file, -, @ENV:NAME or @FD:N')
            [CompletionResult]::new('--json', '--json', [CompletionResultType]::ParameterName, 'Print one JSON object a line; errors end with one on stderr')
            [CompletionResult]::new('-q', '-q', [CompletionResultType]::ParameterName, 'No progress, no notes: errors and warnings only')
            [CompletionResult]::new('--quiet', '--quiet', [CompletionResultType]::ParameterName, 'No progress, no notes: errors and warnings only')
            [CompletionResult]::new('-v', '-v', [CompletionResultType]::ParameterName, 'Say more of what is done')
            [CompletionResult]::new('--verbose', '--verbose', [CompletionResultType]::ParameterName, 'Say more of what is done')
            [CompletionResult]::new('--no-input', '--no-input', [CompletionResultType]::ParameterName, 'Never ask: fail with status 14 where a passphrase would be asked for')
            [CompletionResult]::new('-h', '-h', [CompletionResultType]::ParameterName, 'Print help')
            [CompletionResult]::new('--help', '--help', [CompletionResultType]::ParameterName, 'Print help')
            break
        }
        'bulla;contact;show' {
            [CompletionResult]::new('-i', '-i', [CompletionResultType]::ParameterName, 'Identity: a file, - for stdin, @ENV:NAME or @FD:N')
            [CompletionResult]::new('--identity', '--identity', [CompletionResultType]::ParameterName, 'Identity: a file, - for stdin, @ENV:NAME or @FD:N')
            [CompletionResult]::new('--passphrase', '--passphrase', [CompletionResultType]::ParameterName, 'Passphrase of a locked identity: a file, -, @ENV:NAME or @FD:N')
            [CompletionResult]::new('--card', '--card', [CompletionResultType]::ParameterName, 'Print the contact''s card')
            [CompletionResult]::new('--json', '--json', [CompletionResultType]::ParameterName, 'Print one JSON object a line; errors end with one on stderr')
            [CompletionResult]::new('-q', '-q', [CompletionResultType]::ParameterName, 'No progress, no notes: errors and warnings only')
            [CompletionResult]::new('--quiet', '--quiet', [CompletionResultType]::ParameterName, 'No progress, no notes: errors and warnings only')
            [CompletionResult]::new('-v', '-v', [CompletionResultType]::ParameterName, 'Say more of what is done')
            [CompletionResult]::new('--verbose', '--verbose', [CompletionResultType]::ParameterName, 'Say more of what is done')
            [CompletionResult]::new('--no-input', '--no-input', [CompletionResultType]::ParameterName, 'Never ask: fail with status 14 where a passphrase would be asked for')
            [CompletionResult]::new('-h', '-h', [CompletionResultType]::ParameterName, 'Print help')
            [CompletionResult]::new('--help', '--help', [CompletionResultType]::ParameterName, 'Print help')
            break
        }
        'bulla;contact;rename' {
            [CompletionResult]::new('-i', '-i', [CompletionResultType]::ParameterName, 'Identity: a file, - for stdin, @ENV:NAME or @FD:N')
            [CompletionResult]::new('--identity', '--identity', [CompletionResultType]::ParameterName, 'Identity: a file, - for stdin, @ENV:NAME or @FD:N')
            [CompletionResult]::new('--passphrase', '--passphrase', [CompletionResultType]::ParameterName, 'Passphrase of a locked identity: a file, -, @ENV:NAME or @FD:N')
            [CompletionResult]::new('--json', '--json', [CompletionResultType]::ParameterName, 'Print one JSON object a line; errors end with one on stderr')
            [CompletionResult]::new('-q', '-q', [CompletionResultType]::ParameterName, 'No progress, no notes: errors and warnings only')
            [CompletionResult]::new('--quiet', '--quiet', [CompletionResultType]::ParameterName, 'No progress, no notes: errors and warnings only')
            [CompletionResult]::new('-v', '-v', [CompletionResultType]::ParameterName, 'Say more of what is done')
            [CompletionResult]::new('--verbose', '--verbose', [CompletionResultType]::ParameterName, 'Say more of what is done')
            [CompletionResult]::new('--no-input', '--no-input', [CompletionResultType]::ParameterName, 'Never ask: fail with status 14 where a passphrase would be asked for')
            [CompletionResult]::new('-h', '-h', [CompletionResultType]::ParameterName, 'Print help')
            [CompletionResult]::new('--help', '--help', [CompletionResultType]::ParameterName, 'Print help')
            break
        }
        'bulla;contact;remove' {
            [CompletionResult]::new('-i', '-i', [CompletionResultType]::ParameterName, 'Identity: a file, - for stdin, @ENV:NAME or @FD:N')
            [CompletionResult]::new('--identity', '--identity', [CompletionResultType]::ParameterName, 'Identity: a file, - for stdin, @ENV:NAME or @FD:N')
            [CompletionResult]::new('--passphrase', '--passphrase', [CompletionResultType]::ParameterName, 'Passphrase of a locked identity: a file, -, @ENV:NAME or @FD:N')
            [CompletionResult]::new('--json', '--json', [CompletionResultType]::ParameterName, 'Print one JSON object a line; errors end with one on stderr')
            [CompletionResult]::new('-q', '-q', [CompletionResultType]::ParameterName, 'No progress, no notes: errors and warnings only')
            [CompletionResult]::new('--quiet', '--quiet', [CompletionResultType]::ParameterName, 'No progress, no notes: errors and warnings only')
            [CompletionResult]::new('-v', '-v', [CompletionResultType]::ParameterName, 'Say more of what is done')
            [CompletionResult]::new('--verbose', '--verbose', [CompletionResultType]::ParameterName, 'Say more of what is done')
            [CompletionResult]::new('--no-input', '--no-input', [CompletionResultType]::ParameterName, 'Never ask: fail with status 14 where a passphrase would be asked for')
            [CompletionResult]::new('-h', '-h', [CompletionResultType]::ParameterName, 'Print help')
            [CompletionResult]::new('--help', '--help', [CompletionResultType]::ParameterName, 'Print help')
            break
        }
        'bulla;seal' {
            [CompletionResult]::new('--to', '--to', [CompletionResultType]::ParameterName, 'A letter for a contact or for a card''s file; may be given again')
            [CompletionResult]::new('-r', '-r', [CompletionResultType]::ParameterName, 'An age file for this recipient (age1…, age1pq1…); may be given again')
            [CompletionResult]::new('--recipient', '--recipient', [CompletionResultType]::ParameterName, 'An age file for this recipient (age1…, age1pq1…); may be given again')
            [CompletionResult]::new('-R', '-R ', [CompletionResultType]::ParameterName, 'An age file for the recipients listed in a file, one a line')
            [CompletionResult]::new('--recipients-file', '--recipients-file', [CompletionResultType]::ParameterName, 'An age file for the recipients listed in a file, one a line')
            [CompletionResult]::new('-i', '-i', [CompletionResultType]::ParameterName, 'Identity: a file, - for stdin, @ENV:NAME or @FD:N')
            [CompletionResult]::new('--identity', '--identity', [CompletionResultType]::ParameterName, 'Identity: a file, - for stdin, @ENV:NAME or @FD:N')
            [CompletionResult]::new('--passphrase', '--passphrase', [CompletionResultType]::ParameterName, 'Passphrase of a locked identity: a file, -, @ENV:NAME or @FD:N')
            [CompletionResult]::new('-o', '-o', [CompletionResultType]::ParameterName, 'Write to a file, which appears when it is complete; - forces stdout')
            [CompletionResult]::new('--output', '--output', [CompletionResultType]::ParameterName, 'Write to a file, which appears when it is complete; - forces stdout')
            [CompletionResult]::new('--subject', '--subject', [CompletionResultType]::ParameterName, 'The letter''s subject')
            [CompletionResult]::new('--name', '--name', [CompletionResultType]::ParameterName, 'The file name the letter carries; that of FILE otherwise')
            [CompletionResult]::new('--type', '--type', [CompletionResultType]::ParameterName, 'The content type the letter carries')
            [CompletionResult]::new('--header', '--header', [CompletionResultType]::ParameterName, 'A header of your own in the letter; may be given again')
            [CompletionResult]::new('-p', '-p', [CompletionResultType]::ParameterName, 'An age file for a passphrase asked on the terminal')
            [CompletionResult]::new('--ask-passphrase', '--ask-passphrase', [CompletionResultType]::ParameterName, 'An age file for a passphrase asked on the terminal')
            [CompletionResult]::new('-f', '-f', [CompletionResultType]::ParameterName, 'Replace a file that exists')
            [CompletionResult]::new('--force', '--force', [CompletionResultType]::ParameterName, 'Replace a file that exists')
            [CompletionResult]::new('-a', '-a', [CompletionResultType]::ParameterName, 'Print the age file as text')
            [CompletionResult]::new('--armor', '--armor', [CompletionResultType]::ParameterName, 'Print the age file as text')
            [CompletionResult]::new('--anonymous', '--anonymous', [CompletionResultType]::ParameterName, 'Do not say who sends it')
            [CompletionResult]::new('--json', '--json', [CompletionResultType]::ParameterName, 'Print one JSON object a line; errors end with one on stderr')
            [CompletionResult]::new('-q', '-q', [CompletionResultType]::ParameterName, 'No progress, no notes: errors and warnings only')
            [CompletionResult]::new('--quiet', '--quiet', [CompletionResultType]::ParameterName, 'No progress, no notes: errors and warnings only')
            [CompletionResult]::new('-v', '-v', [CompletionResultType]::ParameterName, 'Say more of what is done')
            [CompletionResult]::new('--verbose', '--verbose', [CompletionResultType]::ParameterName, 'Say more of what is done')
            [CompletionResult]::new('--no-input', '--no-input', [CompletionResultType]::ParameterName, 'Never ask: fail with status 14 where a passphrase would be asked for')
            [CompletionResult]::new('-h', '-h', [CompletionResultType]::ParameterName, 'Print help (see more with ''--help'')')
            [CompletionResult]::new('--help', '--help', [CompletionResultType]::ParameterName, 'Print help (see more with ''--help'')')
            break
        }
        'bulla;open' {
            [CompletionResult]::new('-i', '-i', [CompletionResultType]::ParameterName, 'Identity: a file, - for stdin, @ENV:NAME or @FD:N; may be given again')
            [CompletionResult]::new('--identity', '--identity', [CompletionResultType]::ParameterName, 'Identity: a file, - for stdin, @ENV:NAME or @FD:N; may be given again')
            [CompletionResult]::new('--passphrase', '--passphrase', [CompletionResultType]::ParameterName, 'Passphrase of the file, or of a locked identity: a file, -, @ENV:NAME or @FD:N')
            [CompletionResult]::new('-o', '-o', [CompletionResultType]::ParameterName, 'Write to a file, which appears when it is complete; - forces stdout')
            [CompletionResult]::new('--output', '--output', [CompletionResultType]::ParameterName, 'Write to a file, which appears when it is complete; - forces stdout')
            [CompletionResult]::new('--output-dir', '--output-dir', [CompletionResultType]::ParameterName, 'Write every letter to a file of its own in this folder')
            [CompletionResult]::new('--from', '--from', [CompletionResultType]::ParameterName, 'Demand that this contact (or fingerprint) is the sender')
            [CompletionResult]::new('-f', '-f', [CompletionResultType]::ParameterName, 'Replace a file that exists')
            [CompletionResult]::new('--force', '--force', [CompletionResultType]::ParameterName, 'Replace a file that exists')
            [CompletionResult]::new('--again', '--again', [CompletionResultType]::ParameterName, 'Open letters that were opened before')
            [CompletionResult]::new('--json', '--json', [CompletionResultType]::ParameterName, 'Print one JSON object a line; errors end with one on stderr')
            [CompletionResult]::new('-q', '-q', [CompletionResultType]::ParameterName, 'No progress, no notes: errors and warnings only')
            [CompletionResult]::new('--quiet', '--quiet', [CompletionResultType]::ParameterName, 'No progress, no notes: errors and warnings only')
            [CompletionResult]::new('-v', '-v', [CompletionResultType]::ParameterName, 'Say more of what is done')
            [CompletionResult]::new('--verbose', '--verbose', [CompletionResultType]::ParameterName, 'Say more of what is done')
            [CompletionResult]::new('--no-input', '--no-input', [CompletionResultType]::ParameterName, 'Never ask: fail with status 14 where a passphrase would be asked for')
            [CompletionResult]::new('-h', '-h', [CompletionResultType]::ParameterName, 'Print help (see more with ''--help'')')
            [CompletionResult]::new('--help', '--help', [CompletionResultType]::ParameterName, 'Print help (see more with ''--help'')')
            break
        }
        'bulla;inspect' {
            [CompletionResult]::new('--json', '--json', [CompletionResultType]::ParameterName, 'Print one JSON object a line; errors end with one on stderr')
            [CompletionResult]::new('-q', '-q', [CompletionResultType]::ParameterName, 'No progress, no notes: errors and warnings only')
            [CompletionResult]::new('--quiet', '--quiet', [CompletionResultType]::ParameterName, 'No progress, no notes: errors and warnings only')
            [CompletionResult]::new('-v', '-v', [CompletionResultType]::ParameterName, 'Say more of what is done')
            [CompletionResult]::new('--verbose', '--verbose', [CompletionResultType]::ParameterName, 'Say more of what is done')
            [CompletionResult]::new('--no-input', '--no-input', [CompletionResultType]::ParameterName, 'Never ask: fail with status 14 where a passphrase would be asked for')
            [CompletionResult]::new('-h', '-h', [CompletionResultType]::ParameterName, 'Print help')
            [CompletionResult]::new('--help', '--help', [CompletionResultType]::ParameterName, 'Print help')
            break
        }
        'bulla;relay' {
            [CompletionResult]::new('--json', '--json', [CompletionResultType]::ParameterName, 'Print one JSON object a line; errors end with one on stderr')
            [CompletionResult]::new('-q', '-q', [CompletionResultType]::ParameterName, 'No progress, no notes: errors and warnings only')
            [CompletionResult]::new('--quiet', '--quiet', [CompletionResultType]::ParameterName, 'No progress, no notes: errors and warnings only')
            [CompletionResult]::new('-v', '-v', [CompletionResultType]::ParameterName, 'Say more of what is done')
            [CompletionResult]::new('--verbose', '--verbose', [CompletionResultType]::ParameterName, 'Say more of what is done')
            [CompletionResult]::new('--no-input', '--no-input', [CompletionResultType]::ParameterName, 'Never ask: fail with status 14 where a passphrase would be asked for')
            [CompletionResult]::new('-h', '-h', [CompletionResultType]::ParameterName, 'Print help')
            [CompletionResult]::new('--help', '--help', [CompletionResultType]::ParameterName, 'Print help')
            [CompletionResult]::new('serve', 'serve', [CompletionResultType]::ParameterValue, 'Run a relay')
            [CompletionResult]::new('register', 'register', [CompletionResultType]::ParameterValue, 'Register your mailbox at a relay, and remember the relay as yours')
            [CompletionResult]::new('push', 'push', [CompletionResultType]::ParameterValue, 'Push letters to the relays their envelopes name')
            [CompletionResult]::new('pull', 'pull', [CompletionResultType]::ParameterValue, 'Take your letters from your relay')
            [CompletionResult]::new('list', 'list', [CompletionResultType]::ParameterValue, 'List what waits in your mailbox')
            [CompletionResult]::new('ack', 'ack', [CompletionResultType]::ParameterValue, 'Delete messages from your mailbox by their ids')
            [CompletionResult]::new('status', 'status', [CompletionResultType]::ParameterValue, 'Show your mailbox and what the relay allows')
            break
        }
        'bulla;relay;serve' {
            [CompletionResult]::new('--store', '--store', [CompletionResultType]::ParameterName, 'The folder that holds everything the relay keeps')
            [CompletionResult]::new('--listen', '--listen', [CompletionResultType]::ParameterName, 'Address and port to listen on; port 0 takes a free one, which is printed')
            [CompletionResult]::new('--name', '--name', [CompletionResultType]::ParameterName, 'Name that clients reach the relay by, with the port unless it is the scheme''s own; may be given again. Needed when it listens on every address, or behind a proxy')
            [CompletionResult]::new('--ttl', '--ttl', [CompletionResultType]::ParameterName, 'Delete what was not fetched after so long (30d, 12h)')
            [CompletionResult]::new('--max-message', '--max-message', [CompletionResultType]::ParameterName, 'Greatest message (64M, 1G)')
            [CompletionResult]::new('--mailbox-messages', '--mailbox-messages', [CompletionResultType]::ParameterName, 'Greatest number of messages that wait in one mailbox')
            [CompletionResult]::new('--mailbox-size', '--mailbox-size', [CompletionResultType]::ParameterName, 'Greatest size of one mailbox')
            [CompletionResult]::new('--store-size', '--store-size', [CompletionResultType]::ParameterName, 'Greatest size of all mailboxes together')
            [CompletionResult]::new('--token', '--token', [CompletionResultType]::ParameterName, 'Register only mailboxes whose owner shows this token: a file, -, @ENV:NAME or @FD:N')
            [CompletionResult]::new('--json', '--json', [CompletionResultType]::ParameterName, 'Print one JSON object a line; errors end with one on stderr')
            [CompletionResult]::new('-q', '-q', [CompletionResultType]::ParameterName, 'No progress, no notes: errors and warnings only')
            [CompletionResult]::new('--quiet', '--quiet', [CompletionResultType]::ParameterName, 'No progress, no notes: errors and warnings only')
            [CompletionResult]::new('-v', '-v', [CompletionResultType]::ParameterName, 'Say more of what is done')
            [CompletionResult]::new('--verbose', '--verbose', [CompletionResultType]::ParameterName, 'Say more of what is done')
            [CompletionResult]::new('--no-input', '--no-input', [CompletionResultType]::ParameterName, 'Never ask: fail with status 14 where a passphrase would be asked for')
            [CompletionResult]::new('-h', '-h', [CompletionResultType]::ParameterName, 'Print help (see more with ''--help'')')
            [CompletionResult]::new('--help', '--help', [CompletionResultType]::ParameterName, 'Print help (see more with ''--help'')')
            break
        }
        'bulla;relay;register' {
            [CompletionResult]::new('-i', '-i', [CompletionResultType]::ParameterName, 'Identity: a file, - for stdin, @ENV:NAME or @FD:N')
            [CompletionResult]::new('--identity', '--identity', [CompletionResultType]::ParameterName, 'Identity: a file, - for stdin, @ENV:NAME or @FD:N')
            [CompletionResult]::new('--passphrase', '--passphrase', [CompletionResultType]::ParameterName, 'Passphrase of a locked identity: a file, -, @ENV:NAME or @FD:N')
            [CompletionResult]::new('--relay', '--relay', [CompletionResultType]::ParameterName, 'The relay. For push only where the card of the recipient names none')
            [CompletionResult]::new('--timeout', '--timeout', [CompletionResultType]::ParameterName, 'Give up on one request after so long')
            [CompletionResult]::new('--retry', '--retry', [CompletionResultType]::ParameterName, 'Try so often again after a temporary failure')
            [CompletionResult]::new('--token', '--token', [CompletionResultType]::ParameterName, 'The token the relay''s operator gave you: a file, -, @ENV:NAME or @FD:N')
            [CompletionResult]::new('--json', '--json', [CompletionResultType]::ParameterName, 'Print one JSON object a line; errors end with one on stderr')
            [CompletionResult]::new('-q', '-q', [CompletionResultType]::ParameterName, 'No progress, no notes: errors and warnings only')
            [CompletionResult]::new('--quiet', '--quiet', [CompletionResultType]::ParameterName, 'No progress, no notes: errors and warnings only')
            [CompletionResult]::new('-v', '-v', [CompletionResultType]::ParameterName, 'Say more of what is done')
            [CompletionResult]::new('--verbose', '--verbose', [CompletionResultType]::ParameterName, 'Say more of what is done')
            [CompletionResult]::new('--no-input', '--no-input', [CompletionResultType]::ParameterName, 'Never ask: fail with status 14 where a passphrase would be asked for')
            [CompletionResult]::new('-h', '-h', [CompletionResultType]::ParameterName, 'Print help')
            [CompletionResult]::new('--help', '--help', [CompletionResultType]::ParameterName, 'Print help')
            break
        }
        'bulla;relay;push' {
            [CompletionResult]::new('--relay', '--relay', [CompletionResultType]::ParameterName, 'The relay. For push only where the card of the recipient names none')
            [CompletionResult]::new('--timeout', '--timeout', [CompletionResultType]::ParameterName, 'Give up on one request after so long')
            [CompletionResult]::new('--retry', '--retry', [CompletionResultType]::ParameterName, 'Try so often again after a temporary failure')
            [CompletionResult]::new('--json', '--json', [CompletionResultType]::ParameterName, 'Print one JSON object a line; errors end with one on stderr')
            [CompletionResult]::new('-q', '-q', [CompletionResultType]::ParameterName, 'No progress, no notes: errors and warnings only')
            [CompletionResult]::new('--quiet', '--quiet', [CompletionResultType]::ParameterName, 'No progress, no notes: errors and warnings only')
            [CompletionResult]::new('-v', '-v', [CompletionResultType]::ParameterName, 'Say more of what is done')
            [CompletionResult]::new('--verbose', '--verbose', [CompletionResultType]::ParameterName, 'Say more of what is done')
            [CompletionResult]::new('--no-input', '--no-input', [CompletionResultType]::ParameterName, 'Never ask: fail with status 14 where a passphrase would be asked for')
            [CompletionResult]::new('-h', '-h', [CompletionResultType]::ParameterName, 'Print help (see more with ''--help'')')
            [CompletionResult]::new('--help', '--help', [CompletionResultType]::ParameterName, 'Print help (see more with ''--help'')')
            break
        }
        'bulla;relay;pull' {
            [CompletionResult]::new('-i', '-i', [CompletionResultType]::ParameterName, 'Identity: a file, - for stdin, @ENV:NAME or @FD:N')
            [CompletionResult]::new('--identity', '--identity', [CompletionResultType]::ParameterName, 'Identity: a file, - for stdin, @ENV:NAME or @FD:N')
            [CompletionResult]::new('--passphrase', '--passphrase', [CompletionResultType]::ParameterName, 'Passphrase of a locked identity: a file, -, @ENV:NAME or @FD:N')
            [CompletionResult]::new('--relay', '--relay', [CompletionResultType]::ParameterName, 'The relay. For push only where the card of the recipient names none')
            [CompletionResult]::new('--timeout', '--timeout', [CompletionResultType]::ParameterName, 'Give up on one request after so long')
            [CompletionResult]::new('--retry', '--retry', [CompletionResultType]::ParameterName, 'Try so often again after a temporary failure')
            [CompletionResult]::new('--wait', '--wait', [CompletionResultType]::ParameterName, 'Wait up to so long for the first letter')
            [CompletionResult]::new('--output-dir', '--output-dir', [CompletionResultType]::ParameterName, 'Write each sealed letter to a file of its own in this folder')
            [CompletionResult]::new('--exec', '--exec', [CompletionResultType]::ParameterName, 'Run a shell command for each letter: the letter on its stdin, its id in BULLA_ID')
            [CompletionResult]::new('--limit', '--limit', [CompletionResultType]::ParameterName, 'Take at most so many')
            [CompletionResult]::new('--peek', '--peek', [CompletionResultType]::ParameterName, 'Give out copies: delete nothing at the relay, and give out the same again next time')
            [CompletionResult]::new('--again', '--again', [CompletionResultType]::ParameterName, 'Give out again what went to stdout before and was never opened')
            [CompletionResult]::new('--json', '--json', [CompletionResultType]::ParameterName, 'Print one JSON object a line; errors end with one on stderr')
            [CompletionResult]::new('-q', '-q', [CompletionResultType]::ParameterName, 'No progress, no notes: errors and warnings only')
            [CompletionResult]::new('--quiet', '--quiet', [CompletionResultType]::ParameterName, 'No progress, no notes: errors and warnings only')
            [CompletionResult]::new('-v', '-v', [CompletionResultType]::ParameterName, 'Say more of what is done')
            [CompletionResult]::new('--verbose', '--verbose', [CompletionResultType]::ParameterName, 'Say more of what is done')
            [CompletionResult]::new('--no-input', '--no-input', [CompletionResultType]::ParameterName, 'Never ask: fail with status 14 where a passphrase would be asked for')
            [CompletionResult]::new('-h', '-h', [CompletionResultType]::ParameterName, 'Print help (see more with ''--help'')')
            [CompletionResult]::new('--help', '--help', [CompletionResultType]::ParameterName, 'Print help (see more with ''--help'')')
            break
        }
        'bulla;relay;list' {
            [CompletionResult]::new('-i', '-i', [CompletionResultType]::ParameterName, 'Identity: a file, - for stdin, @ENV:NAME or @FD:N')
            [CompletionResult]::new('--identity', '--identity', [CompletionResultType]::ParameterName, 'Identity: a file, - for stdin, @ENV:NAME or @FD:N')
            [CompletionResult]::new('--passphrase', '--passphrase', [CompletionResultType]::ParameterName, 'Passphrase of a locked identity: a file, -, @ENV:NAME or @FD:N')
            [CompletionResult]::new('--relay', '--relay', [CompletionResultType]::ParameterName, 'The relay. For push only where the card of the recipient names none')
            [CompletionResult]::new('--timeout', '--timeout', [CompletionResultType]::ParameterName, 'Give up on one request after so long')
            [CompletionResult]::new('--retry', '--retry', [CompletionResultType]::ParameterName, 'Try so often again after a temporary failure')
            [CompletionResult]::new('-0', '-0', [CompletionResultType]::ParameterName, 'End each id with a NUL byte and print nothing else')
            [CompletionResult]::new('--null', '--null', [CompletionResultType]::ParameterName, 'End each id with a NUL byte and print nothing else')
            [CompletionResult]::new('--json', '--json', [CompletionResultType]::ParameterName, 'Print one JSON object a line; errors end with one on stderr')
            [CompletionResult]::new('-q', '-q', [CompletionResultType]::ParameterName, 'No progress, no notes: errors and warnings only')
            [CompletionResult]::new('--quiet', '--quiet', [CompletionResultType]::ParameterName, 'No progress, no notes: errors and warnings only')
            [CompletionResult]::new('-v', '-v', [CompletionResultType]::ParameterName, 'Say more of what is done')
            [CompletionResult]::new('--verbose', '--verbose', [CompletionResultType]::ParameterName, 'Say more of what is done')
            [CompletionResult]::new('--no-input', '--no-input', [CompletionResultType]::ParameterName, 'Never ask: fail with status 14 where a passphrase would be asked for')
            [CompletionResult]::new('-h', '-h', [CompletionResultType]::ParameterName, 'Print help')
            [CompletionResult]::new('--help', '--help', [CompletionResultType]::ParameterName, 'Print help')
            break
        }
        'bulla;relay;ack' {
            [CompletionResult]::new('-i', '-i', [CompletionResultType]::ParameterName, 'Identity: a file, - for stdin, @ENV:NAME or @FD:N')
            [CompletionResult]::new('--identity', '--identity', [CompletionResultType]::ParameterName, 'Identity: a file, - for stdin, @ENV:NAME or @FD:N')
            [CompletionResult]::new('--passphrase', '--passphrase', [CompletionResultType]::ParameterName, 'Passphrase of a locked identity: a file, -, @ENV:NAME or @FD:N')
            [CompletionResult]::new('--relay', '--relay', [CompletionResultType]::ParameterName, 'The relay. For push only where the card of the recipient names none')
            [CompletionResult]::new('--timeout', '--timeout', [CompletionResultType]::ParameterName, 'Give up on one request after so long')
            [CompletionResult]::new('--retry', '--retry', [CompletionResultType]::ParameterName, 'Try so often again after a temporary failure')
            [CompletionResult]::new('--json', '--json', [CompletionResultType]::ParameterName, 'Print one JSON object a line; errors end with one on stderr')
            [CompletionResult]::new('-q', '-q', [CompletionResultType]::ParameterName, 'No progress, no notes: errors and warnings only')
            [CompletionResult]::new('--quiet', '--quiet', [CompletionResultType]::ParameterName, 'No progress, no notes: errors and warnings only')
            [CompletionResult]::new('-v', '-v', [CompletionResultType]::ParameterName, 'Say more of what is done')
            [CompletionResult]::new('--verbose', '--verbose', [CompletionResultType]::ParameterName, 'Say more of what is done')
            [CompletionResult]::new('--no-input', '--no-input', [CompletionResultType]::ParameterName, 'Never ask: fail with status 14 where a passphrase would be asked for')
            [CompletionResult]::new('-h', '-h', [CompletionResultType]::ParameterName, 'Print help')
            [CompletionResult]::new('--help', '--help', [CompletionResultType]::ParameterName, 'Print help')
            break
        }
        'bulla;relay;status' {
            [CompletionResult]::new('-i', '-i', [CompletionResultType]::ParameterName, 'Identity: a file, - for stdin, @ENV:NAME or @FD:N')
            [CompletionResult]::new('--identity', '--identity', [CompletionResultType]::ParameterName, 'Identity: a file, - for stdin, @ENV:NAME or @FD:N')
            [CompletionResult]::new('--passphrase', '--passphrase', [CompletionResultType]::ParameterName, 'Passphrase of a locked identity: a file, -, @ENV:NAME or @FD:N')
            [CompletionResult]::new('--relay', '--relay', [CompletionResultType]::ParameterName, 'The relay. For push only where the card of the recipient names none')
            [CompletionResult]::new('--timeout', '--timeout', [CompletionResultType]::ParameterName, 'Give up on one request after so long')
            [CompletionResult]::new('--retry', '--retry', [CompletionResultType]::ParameterName, 'Try so often again after a temporary failure')
            [CompletionResult]::new('--json', '--json', [CompletionResultType]::ParameterName, 'Print one JSON object a line; errors end with one on stderr')
            [CompletionResult]::new('-q', '-q', [CompletionResultType]::ParameterName, 'No progress, no notes: errors and warnings only')
            [CompletionResult]::new('--quiet', '--quiet', [CompletionResultType]::ParameterName, 'No progress, no notes: errors and warnings only')
            [CompletionResult]::new('-v', '-v', [CompletionResultType]::ParameterName, 'Say more of what is done')
            [CompletionResult]::new('--verbose', '--verbose', [CompletionResultType]::ParameterName, 'Say more of what is done')
            [CompletionResult]::new('--no-input', '--no-input', [CompletionResultType]::ParameterName, 'Never ask: fail with status 14 where a passphrase would be asked for')
            [CompletionResult]::new('-h', '-h', [CompletionResultType]::ParameterName, 'Print help')
            [CompletionResult]::new('--help', '--help', [CompletionResultType]::ParameterName, 'Print help')
            break
        }
        'bulla;index' {
            [CompletionResult]::new('--json', '--json', [CompletionResultType]::ParameterName, 'Print one JSON object a line; errors end with one on stderr')
            [CompletionResult]::new('-q', '-q', [CompletionResultType]::ParameterName, 'No progress, no notes: errors and warnings only')
            [CompletionResult]::new('--quiet', '--quiet', [CompletionResultType]::ParameterName, 'No progress, no notes: errors and warnings only')
            [CompletionResult]::new('-v', '-v', [CompletionResultType]::ParameterName, 'Say more of what is done')
            [CompletionResult]::new('--verbose', '--verbose', [CompletionResultType]::ParameterName, 'Say more of what is done')
            [CompletionResult]::new('--no-input', '--no-input', [CompletionResultType]::ParameterName, 'Never ask: fail with status 14 where a passphrase would be asked for')
            [CompletionResult]::new('-h', '-h', [CompletionResultType]::ParameterName, 'Print help')
            [CompletionResult]::new('--help', '--help', [CompletionResultType]::ParameterName, 'Print help')
            [CompletionResult]::new('build', 'build', [CompletionResultType]::ParameterValue, 'Index folders and files: mbox, Maildir, .eml, HTML, text')
            [CompletionResult]::new('add', 'add', [CompletionResultType]::ParameterValue, 'Index the JSON lines of open --json')
            [CompletionResult]::new('remove', 'remove', [CompletionResultType]::ParameterValue, 'Remove documents by id or by query')
            [CompletionResult]::new('show', 'show', [CompletionResultType]::ParameterValue, 'Give a document back')
            [CompletionResult]::new('stats', 'stats', [CompletionResultType]::ParameterValue, 'Show how much the index holds')
            [CompletionResult]::new('verify', 'verify', [CompletionResultType]::ParameterValue, 'Open every cell of the index and report damage')
            [CompletionResult]::new('destroy', 'destroy', [CompletionResultType]::ParameterValue, 'Destroy the index: the key first, then the rest')
            break
        }
        'bulla;index;build' {
            [CompletionResult]::new('-i', '-i', [CompletionResultType]::ParameterName, 'Identity: a file, - for stdin, @ENV:NAME or @FD:N')
            [CompletionResult]::new('--identity', '--identity', [CompletionResultType]::ParameterName, 'Identity: a file, - for stdin, @ENV:NAME or @FD:N')
            [CompletionResult]::new('--passphrase', '--passphrase', [CompletionResultType]::ParameterName, 'Passphrase of a locked identity: a file, -, @ENV:NAME or @FD:N')
            [CompletionResult]::new('--index', '--index', [CompletionResultType]::ParameterName, 'The index''s folder')
            [CompletionResult]::new('--json', '--json', [CompletionResultType]::ParameterName, 'Print one JSON object a line; errors end with one on stderr')
            [CompletionResult]::new('-q', '-q', [CompletionResultType]::ParameterName, 'No progress, no notes: errors and warnings only')
            [CompletionResult]::new('--quiet', '--quiet', [CompletionResultType]::ParameterName, 'No progress, no notes: errors and warnings only')
            [CompletionResult]::new('-v', '-v', [CompletionResultType]::ParameterName, 'Say more of what is done')
            [CompletionResult]::new('--verbose', '--verbose', [CompletionResultType]::ParameterName, 'Say more of what is done')
            [CompletionResult]::new('--no-input', '--no-input', [CompletionResultType]::ParameterName, 'Never ask: fail with status 14 where a passphrase would be asked for')
            [CompletionResult]::new('-h', '-h', [CompletionResultType]::ParameterName, 'Print help (see more with ''--help'')')
            [CompletionResult]::new('--help', '--help', [CompletionResultType]::ParameterName, 'Print help (see more with ''--help'')')
            break
        }
        'bulla;index;add' {
            [CompletionResult]::new('-i', '-i', [CompletionResultType]::ParameterName, 'Identity: a file, - for stdin, @ENV:NAME or @FD:N')
            [CompletionResult]::new('--identity', '--identity', [CompletionResultType]::ParameterName, 'Identity: a file, - for stdin, @ENV:NAME or @FD:N')
            [CompletionResult]::new('--passphrase', '--passphrase', [CompletionResultType]::ParameterName, 'Passphrase of a locked identity: a file, -, @ENV:NAME or @FD:N')
            [CompletionResult]::new('--index', '--index', [CompletionResultType]::ParameterName, 'The index''s folder')
            [CompletionResult]::new('--json', '--json', [CompletionResultType]::ParameterName, 'Print one JSON object a line; errors end with one on stderr')
            [CompletionResult]::new('-q', '-q', [CompletionResultType]::ParameterName, 'No progress, no notes: errors and warnings only')
            [CompletionResult]::new('--quiet', '--quiet', [CompletionResultType]::ParameterName, 'No progress, no notes: errors and warnings only')
            [CompletionResult]::new('-v', '-v', [CompletionResultType]::ParameterName, 'Say more of what is done')
            [CompletionResult]::new('--verbose', '--verbose', [CompletionResultType]::ParameterName, 'Say more of what is done')
            [CompletionResult]::new('--no-input', '--no-input', [CompletionResultType]::ParameterName, 'Never ask: fail with status 14 where a passphrase would be asked for')
            [CompletionResult]::new('-h', '-h', [CompletionResultType]::ParameterName, 'Print help (see more with ''--help'')')
            [CompletionResult]::new('--help', '--help', [CompletionResultType]::ParameterName, 'Print help (see more with ''--help'')')
            break
        }
        'bulla;index;remove' {
            [CompletionResult]::new('-i', '-i', [CompletionResultType]::ParameterName, 'Identity: a file, - for stdin, @ENV:NAME or @FD:N')
            [CompletionResult]::new('--identity', '--identity', [CompletionResultType]::ParameterName, 'Identity: a file, - for stdin, @ENV:NAME or @FD:N')
            [CompletionResult]::new('--passphrase', '--passphrase', [CompletionResultType]::ParameterName, 'Passphrase of a locked identity: a file, -, @ENV:NAME or @FD:N')
            [CompletionResult]::new('--index', '--index', [CompletionResultType]::ParameterName, 'The index''s folder')
            [CompletionResult]::new('--json', '--json', [CompletionResultType]::ParameterName, 'Print one JSON object a line; errors end with one on stderr')
            [CompletionResult]::new('-q', '-q', [CompletionResultType]::ParameterName, 'No progress, no notes: errors and warnings only')
            [CompletionResult]::new('--quiet', '--quiet', [CompletionResultType]::ParameterName, 'No progress, no notes: errors and warnings only')
            [CompletionResult]::new('-v', '-v', [CompletionResultType]::ParameterName, 'Say more of what is done')
            [CompletionResult]::new('--verbose', '--verbose', [CompletionResultType]::ParameterName, 'Say more of what is done')
            [CompletionResult]::new('--no-input', '--no-input', [CompletionResultType]::ParameterName, 'Never ask: fail with status 14 where a passphrase would be asked for')
            [CompletionResult]::new('-h', '-h', [CompletionResultType]::ParameterName, 'Print help')
            [CompletionResult]::new('--help', '--help', [CompletionResultType]::ParameterName, 'Print help')
            break
        }
        'bulla;index;show' {
            [CompletionResult]::new('-i', '-i', [CompletionResultType]::ParameterName, 'Identity: a file, - for stdin, @ENV:NAME or @FD:N')
            [CompletionResult]::new('--identity', '--identity', [CompletionResultType]::ParameterName, 'Identity: a file, - for stdin, @ENV:NAME or @FD:N')
            [CompletionResult]::new('--passphrase', '--passphrase', [CompletionResultType]::ParameterName, 'Passphrase of a locked identity: a file, -, @ENV:NAME or @FD:N')
            [CompletionResult]::new('--index', '--index', [CompletionResultType]::ParameterName, 'The index''s folder')
            [CompletionResult]::new('--json', '--json', [CompletionResultType]::ParameterName, 'Print one JSON object a line; errors end with one on stderr')
            [CompletionResult]::new('-q', '-q', [CompletionResultType]::ParameterName, 'No progress, no notes: errors and warnings only')
            [CompletionResult]::new('--quiet', '--quiet', [CompletionResultType]::ParameterName, 'No progress, no notes: errors and warnings only')
            [CompletionResult]::new('-v', '-v', [CompletionResultType]::ParameterName, 'Say more of what is done')
            [CompletionResult]::new('--verbose', '--verbose', [CompletionResultType]::ParameterName, 'Say more of what is done')
            [CompletionResult]::new('--no-input', '--no-input', [CompletionResultType]::ParameterName, 'Never ask: fail with status 14 where a passphrase would be asked for')
            [CompletionResult]::new('-h', '-h', [CompletionResultType]::ParameterName, 'Print help')
            [CompletionResult]::new('--help', '--help', [CompletionResultType]::ParameterName, 'Print help')
            break
        }
        'bulla;index;stats' {
            [CompletionResult]::new('-i', '-i', [CompletionResultType]::ParameterName, 'Identity: a file, - for stdin, @ENV:NAME or @FD:N')
            [CompletionResult]::new('--identity', '--identity', [CompletionResultType]::ParameterName, 'Identity: a file, - for stdin, @ENV:NAME or @FD:N')
            [CompletionResult]::new('--passphrase', '--passphrase', [CompletionResultType]::ParameterName, 'Passphrase of a locked identity: a file, -, @ENV:NAME or @FD:N')
            [CompletionResult]::new('--index', '--index', [CompletionResultType]::ParameterName, 'The index''s folder')
            [CompletionResult]::new('--json', '--json', [CompletionResultType]::ParameterName, 'Print one JSON object a line; errors end with one on stderr')
            [CompletionResult]::new('-q', '-q', [CompletionResultType]::ParameterName, 'No progress, no notes: errors and warnings only')
            [CompletionResult]::new('--quiet', '--quiet', [CompletionResultType]::ParameterName, 'No progress, no notes: errors and warnings only')
            [CompletionResult]::new('-v', '-v', [CompletionResultType]::ParameterName, 'Say more of what is done')
            [CompletionResult]::new('--verbose', '--verbose', [CompletionResultType]::ParameterName, 'Say more of what is done')
            [CompletionResult]::new('--no-input', '--no-input', [CompletionResultType]::ParameterName, 'Never ask: fail with status 14 where a passphrase would be asked for')
            [CompletionResult]::new('-h', '-h', [CompletionResultType]::ParameterName, 'Print help')
            [CompletionResult]::new('--help', '--help', [CompletionResultType]::ParameterName, 'Print help')
            break
        }
        'bulla;index;verify' {
            [CompletionResult]::new('-i', '-i', [CompletionResultType]::ParameterName, 'Identity: a file, - for stdin, @ENV:NAME or @FD:N')
            [CompletionResult]::new('--identity', '--identity', [CompletionResultType]::ParameterName, 'Identity: a file, - for stdin, @ENV:NAME or @FD:N')
            [CompletionResult]::new('--passphrase', '--passphrase', [CompletionResultType]::ParameterName, 'Passphrase of a locked identity: a file, -, @ENV:NAME or @FD:N')
            [CompletionResult]::new('--index', '--index', [CompletionResultType]::ParameterName, 'The index''s folder')
            [CompletionResult]::new('--json', '--json', [CompletionResultType]::ParameterName, 'Print one JSON object a line; errors end with one on stderr')
            [CompletionResult]::new('-q', '-q', [CompletionResultType]::ParameterName, 'No progress, no notes: errors and warnings only')
            [CompletionResult]::new('--quiet', '--quiet', [CompletionResultType]::ParameterName, 'No progress, no notes: errors and warnings only')
            [CompletionResult]::new('-v', '-v', [CompletionResultType]::ParameterName, 'Say more of what is done')
            [CompletionResult]::new('--verbose', '--verbose', [CompletionResultType]::ParameterName, 'Say more of what is done')
            [CompletionResult]::new('--no-input', '--no-input', [CompletionResultType]::ParameterName, 'Never ask: fail with status 14 where a passphrase would be asked for')
            [CompletionResult]::new('-h', '-h', [CompletionResultType]::ParameterName, 'Print help')
            [CompletionResult]::new('--help', '--help', [CompletionResultType]::ParameterName, 'Print help')
            break
        }
        'bulla;index;destroy' {
            [CompletionResult]::new('-i', '-i', [CompletionResultType]::ParameterName, 'Identity: a file, - for stdin, @ENV:NAME or @FD:N')
            [CompletionResult]::new('--identity', '--identity', [CompletionResultType]::ParameterName, 'Identity: a file, - for stdin, @ENV:NAME or @FD:N')
            [CompletionResult]::new('--passphrase', '--passphrase', [CompletionResultType]::ParameterName, 'Passphrase of a locked identity: a file, -, @ENV:NAME or @FD:N')
            [CompletionResult]::new('--index', '--index', [CompletionResultType]::ParameterName, 'The index''s folder')
            [CompletionResult]::new('-f', '-f', [CompletionResultType]::ParameterName, 'Do it')
            [CompletionResult]::new('--force', '--force', [CompletionResultType]::ParameterName, 'Do it')
            [CompletionResult]::new('--json', '--json', [CompletionResultType]::ParameterName, 'Print one JSON object a line; errors end with one on stderr')
            [CompletionResult]::new('-q', '-q', [CompletionResultType]::ParameterName, 'No progress, no notes: errors and warnings only')
            [CompletionResult]::new('--quiet', '--quiet', [CompletionResultType]::ParameterName, 'No progress, no notes: errors and warnings only')
            [CompletionResult]::new('-v', '-v', [CompletionResultType]::ParameterName, 'Say more of what is done')
            [CompletionResult]::new('--verbose', '--verbose', [CompletionResultType]::ParameterName, 'Say more of what is done')
            [CompletionResult]::new('--no-input', '--no-input', [CompletionResultType]::ParameterName, 'Never ask: fail with status 14 where a passphrase would be asked for')
            [CompletionResult]::new('-h', '-h', [CompletionResultType]::ParameterName, 'Print help')
            [CompletionResult]::new('--help', '--help', [CompletionResultType]::ParameterName, 'Print help')
            break
        }
        'bulla;search' {
            [CompletionResult]::new('-i', '-i', [CompletionResultType]::ParameterName, 'Identity: a file, - for stdin, @ENV:NAME or @FD:N')
            [CompletionResult]::new('--identity', '--identity', [CompletionResultType]::ParameterName, 'Identity: a file, - for stdin, @ENV:NAME or @FD:N')
            [CompletionResult]::new('--passphrase', '--passphrase', [CompletionResultType]::ParameterName, 'Passphrase of a locked identity: a file, -, @ENV:NAME or @FD:N')
            [CompletionResult]::new('--index', '--index', [CompletionResultType]::ParameterName, 'The index''s folder')
            [CompletionResult]::new('--limit', '--limit', [CompletionResultType]::ParameterName, 'Print at most so many, newest first; 0 for all')
            [CompletionResult]::new('--count', '--count', [CompletionResultType]::ParameterName, 'Print the number of matches alone')
            [CompletionResult]::new('-0', '-0', [CompletionResultType]::ParameterName, 'End each id, or each path, with a NUL byte and print nothing else')
            [CompletionResult]::new('--null', '--null', [CompletionResultType]::ParameterName, 'End each id, or each path, with a NUL byte and print nothing else')
            [CompletionResult]::new('-l', '-l', [CompletionResultType]::ParameterName, 'Print the files that hold matches, each once')
            [CompletionResult]::new('--files-with-matches', '--files-with-matches', [CompletionResultType]::ParameterName, 'Print the files that hold matches, each once')
            [CompletionResult]::new('--json', '--json', [CompletionResultType]::ParameterName, 'Print one JSON object a line; errors end with one on stderr')
            [CompletionResult]::new('-q', '-q', [CompletionResultType]::ParameterName, 'No progress, no notes: errors and warnings only')
            [CompletionResult]::new('--quiet', '--quiet', [CompletionResultType]::ParameterName, 'No progress, no notes: errors and warnings only')
            [CompletionResult]::new('-v', '-v', [CompletionResultType]::ParameterName, 'Say more of what is done')
            [CompletionResult]::new('--verbose', '--verbose', [CompletionResultType]::ParameterName, 'Say more of what is done')
            [CompletionResult]::new('--no-input', '--no-input', [CompletionResultType]::ParameterName, 'Never ask: fail with status 14 where a passphrase would be asked for')
            [CompletionResult]::new('-h', '-h', [CompletionResultType]::ParameterName, 'Print help (see more with ''--help'')')
            [CompletionResult]::new('--help', '--help', [CompletionResultType]::ParameterName, 'Print help (see more with ''--help'')')
            break
        }
        'bulla;completions' {
            [CompletionResult]::new('--json', '--json', [CompletionResultType]::ParameterName, 'Print one JSON object a line; errors end with one on stderr')
            [CompletionResult]::new('-q', '-q', [CompletionResultType]::ParameterName, 'No progress, no notes: errors and warnings only')
            [CompletionResult]::new('--quiet', '--quiet', [CompletionResultType]::ParameterName, 'No progress, no notes: errors and warnings only')
            [CompletionResult]::new('-v', '-v', [CompletionResultType]::ParameterName, 'Say more of what is done')
            [CompletionResult]::new('--verbose', '--verbose', [CompletionResultType]::ParameterName, 'Say more of what is done')
            [CompletionResult]::new('--no-input', '--no-input', [CompletionResultType]::ParameterName, 'Never ask: fail with status 14 where a passphrase would be asked for')
            [CompletionResult]::new('-h', '-h', [CompletionResultType]::ParameterName, 'Print help')
            [CompletionResult]::new('--help', '--help', [CompletionResultType]::ParameterName, 'Print help')
            break
        }
        'bulla;man' {
            [CompletionResult]::new('--json', '--json', [CompletionResultType]::ParameterName, 'Print one JSON object a line; errors end with one on stderr')
            [CompletionResult]::new('-q', '-q', [CompletionResultType]::ParameterName, 'No progress, no notes: errors and warnings only')
            [CompletionResult]::new('--quiet', '--quiet', [CompletionResultType]::ParameterName, 'No progress, no notes: errors and warnings only')
            [CompletionResult]::new('-v', '-v', [CompletionResultType]::ParameterName, 'Say more of what is done')
            [CompletionResult]::new('--verbose', '--verbose', [CompletionResultType]::ParameterName, 'Say more of what is done')
            [CompletionResult]::new('--no-input', '--no-input', [CompletionResultType]::ParameterName, 'Never ask: fail with status 14 where a passphrase would be asked for')
            [CompletionResult]::new('-h', '-h', [CompletionResultType]::ParameterName, 'Print help')
            [CompletionResult]::new('--help', '--help', [CompletionResultType]::ParameterName, 'Print help')
            break
        }
    })

    $completions.Where{ $_.CompletionText -like "$wordToComplete*" } |
        Sort-Object -Property ListItemText
}
