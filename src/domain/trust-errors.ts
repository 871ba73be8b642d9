/** The part of the error catalogue that is about joining, certificates and clocks; see error-catalogue.ts. */

/** By code. */
export const TRUST_ERRORS = {
  join_token_malformed: {
    kind: 'invalid',
    message: 'This is not a join token, or not the whole of one.',
    hint: 'Copy it as a whole from where `valkeeper machine token` printed it: four parts with dots between them.',
  },
  certificate_request_invalid: {
    kind: 'invalid',
    message: 'The certificate request is not granted: {problem}.',
    hint: 'Agent and control plane must be of the same version; then try again.',
  },
  join_token_not_found: {
    kind: 'not_found',
    message: 'There is no join token {id}.',
    hint: 'List them with `valkeeper machine token list`.',
  },
  join_token_for_another: {
    kind: 'conflict',
    message: 'The join token is for the machine {wanted}, not for {name}.',
    hint: 'Join as {wanted} (`--name {wanted}`), or make another token with `valkeeper machine token create`.',
  },
  too_many_join_tokens: {
    kind: 'conflict',
    message: 'There are {limit} join tokens that nobody has used yet.',
    hint: 'Take some back: `valkeeper machine token list`, `valkeeper machine token revoke ID`.',
  },
  no_listener: {
    kind: 'conflict',
    message: 'This server does not listen for other machines, so none could join.',
    hint: 'Start it with `valkeeper server --listen ADDRESS`.',
  },
  listen_unusable: {
    kind: 'conflict',
    message: 'The server cannot listen on {address}: {problem}.',
    hint: 'Name an address of this machine and a port that is free: `--listen ADDRESS[:PORT]`.',
  },
  address_taken: {
    kind: 'conflict',
    message: 'The address {address} is that of the machine {other} already.',
    hint: 'Give {name} an address of its own with --address. Is {other} gone for good? `valkeeper machine remove {other}`.',
  },
  address_not_here: {
    kind: 'invalid',
    message: 'The nodes of this machine could not listen on {address}: {problem}.',
    hint: 'Nothing was sent. Name an IPv4 address of this machine with --address, one that the others reach.',
  },
  neighbour_port_unusable: {
    kind: 'conflict',
    message: 'The agent of {machine} cannot listen for its neighbours on {address}:{port}: {problem}.',
    hint: 'Choose another port with `valkeeper agent --neighbour-port PORT` (0: any free one), or stop what listens there (`ss -ltnp` shows it).',
  },
  other_protocol: {
    kind: 'conflict',
    message: 'The agent of {machine} speaks protocol {theirs}, the control plane {ours}.',
    hint: 'Start it from the same version.',
  },
  not_joined: {
    kind: 'not_found',
    message: 'No machine has joined a fleet from {dir}.',
    hint: 'Make a token with `valkeeper machine token create` at the server, and run the line that it prints here.',
  },
  joined_as_another: {
    kind: 'conflict',
    message: '{dir} belongs to the machine {name}, which has joined {fleet}.',
    hint: 'For another machine choose another --data-dir.',
  },
  machine_removed: {
    kind: 'refused',
    message: '{name} was taken out of the fleet.',
    hint: 'To have it back, let it join again: `valkeeper machine token create`, and the line that it prints there.',
  },
  machine_not_joined: {
    kind: 'refused',
    http: 401,
    message: 'The certificate of {name} is not of the machine that has this name now.',
    hint: 'Let it join again with a new token, under another name if the first one is in use.',
  },
  machine_connected_already: {
    kind: 'conflict',
    message: 'Another agent is connected as {name}, and answers.',
    hint: 'One identity is for one machine: end one of both. A copy of a machine joins with a --data-dir and a token of its own.',
  },
  server_untrusted: {
    kind: 'refused',
    message: '{url} does not prove to be the server: {detail}.',
    hint: 'Nothing was sent. Name the certificate of its authority (`authority.pem` in its data directory) with --ca, and an address that is in its certificate.',
  },
  join_token_used: {
    kind: 'conflict',
    message: 'The join token was used at {at} by the machine {machine}.',
    hint: 'A token admits one machine: make another with `valkeeper machine token`. Was it not you? Remove {machine}.',
  },
  machine_name_taken: {
    kind: 'conflict',
    message: 'Another machine has joined as {name}.',
    hint: 'Join under another name. If it is that machine, set up anew: `valkeeper machine remove {name}` first.',
  },
  clock_off: {
    kind: 'conflict',
    message: '{peer} has a clock that is {offset} {direction} the one here: more than {limit}.',
    hint: 'Set the wrong one, best by NTP (`timedatectl set-ntp true`): by it, certificates and tokens look expired or not yet valid.',
  },
  join_token_unknown: {
    kind: 'refused',
    http: 401,
    message: 'The control plane does not know this join token.',
    hint: 'Make one at this control plane with `valkeeper machine token`.',
  },
  join_token_expired: {
    kind: 'refused',
    http: 401,
    message: 'The join token expired at {at}.',
    hint: 'Make another with `valkeeper machine token`. If it is not that late, compare the clocks of both machines.',
  },
  wrong_control_plane: {
    kind: 'refused',
    message:
      'What answers at {address} is not the control plane of the token: it does not show the certificate {fingerprint}.',
    hint: 'Nothing was sent to it. Look at the address, or make a token at the control plane that is there.',
  },
  certificate_unfit: {
    kind: 'refused',
    message: 'The certificate that was sent is not used: {problem}.',
    hint: 'Nothing was changed. It is asked for again; if it stays so, compare versions and clocks of both machines.',
  },
  peer_no_certificate: {
    kind: 'refused',
    http: 401,
    message: '{peer} showed no certificate.',
    hint: 'Only machines that have joined are served here: `valkeeper agent --join URL --token TOKEN`.',
  },
  peer_wrong_authority: {
    kind: 'refused',
    http: 401,
    message: '{peer} shows a certificate that is not from an authority that is believed here ({detail}).',
    hint: 'It belongs to another fleet, or to none. If it should belong to this one, let it join again.',
  },
  peer_expired: {
    kind: 'refused',
    http: 401,
    message: '{peer} shows a certificate that has expired{when}; the clock here says {now}.',
    hint: 'Compare the clocks. If they are right, it was not renewed in time: let the machine join again.',
  },
  peer_not_yet_valid: {
    kind: 'refused',
    http: 401,
    message: '{peer} shows a certificate that is not valid yet{when}; the clock here says {now}.',
    hint: 'A clock is wrong, most likely the one here: set it, best by NTP (`timedatectl set-ntp true`).',
  },
  peer_another_kind: {
    kind: 'refused',
    http: 401,
    message: '{peer} should be {wanted}, and its certificate is of {found}.',
    hint: 'Look at the address: something else of the fleet answers or calls there.',
  },
  peer_another_name: {
    kind: 'refused',
    http: 401,
    message: '{peer} should be {wanted}, and its certificate is of {found}.',
    hint: 'Two machines have changed addresses, or one has taken the place of the other: look at `valkeeper machine list`.',
  },
  peer_refused_us: {
    kind: 'refused',
    http: 401,
    message: '{peer} does not accept the certificate of this side: {detail}.',
    hint: 'Its log says more. Compare the clocks; if they are right, let this machine join again.',
  },
  credentials_unusable: {
    kind: 'unavailable',
    message: 'The credentials of this machine cannot be used: {path}: {problem}.',
    hint: 'Put the file back, or let the machine join again: `valkeeper agent --join URL --token TOKEN`.',
  },
  credentials_missing: {
    kind: 'refused',
    message:
      '{node} of {database} on {machine} speaks TLS, and the agent of {machine} was started without credentials.',
    hint: 'Start the agent with the credentials with which {machine} joined.',
  },
  control_without_credentials: {
    kind: 'unavailable',
    message: 'Nodes that speak TLS cannot be reached: the control plane was started without credentials.',
    hint: 'Start it with the authority of the fleet, as before.',
  },
  no_authority: {
    kind: 'not_found',
    message: 'This fleet has no authority: nothing here speaks TLS.',
    hint: 'A fleet on one host needs none. Machines of other hosts join with a token, and then there is one.',
  },
  client_tls_unavailable: {
    kind: 'refused',
    message: 'Clients cannot use TLS: no machine of this fleet has a certificate to show.',
    hint: 'Leave it optional, or let machines join with a token (`valkeeper agent --join URL --token TOKEN`) first.',
  },
  plain_text_refused: {
    kind: 'refused',
    message:
      '{what} at {address} would send data and passwords in clear text, and {machine} was not told that this is meant.',
    hint: 'Let the machine join (`valkeeper agent --join URL --token TOKEN`), or start its agent with --plain-text if nobody else is on that network.',
  },
  authority_damaged: {
    kind: 'unavailable',
    message: 'The authority of this fleet cannot be used: {problem}.',
    hint: 'Put back a copy of the store. Machines that have joined go on until their certificates expire (at most 30 days).',
  },
} as const;
