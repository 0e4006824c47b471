// The topics of a page, the busiest first.

// scope(): a request's `node`.
function topicListing(calls, scope) {
  const rateOf = (topic) => topic.messagesPerSecond ?? 0;
  const followersOf = (topic) => Number(topic.followers ?? 0);
  return new Listing(byId('topics'), calls, {
    method: 'ListTopics',
    request: (filter) => ({...filter, node: scope()}),
    list: (answer) => answer.topics ?? [],
    order: (a, b) => rateOf(b) - rateOf(a) || followersOf(b) - followersOf(a) ||
        ((a.topic ?? '') < (b.topic ?? '') ? -1 : 1),
    key: (topic) => topic.topic ?? '',
    cells: (topic) => [
      topic.topic || quiet('the common topic'),
      count(followersOf(topic)),
      rate(rateOf(topic)),
      grouped.format(Number(topic.head ?? 0)),
      inWords(format.bytes(Number(topic.bytes ?? 0))),
      String(topic.nodes ?? 0),
    ],
  });
}
