// What a message costs in the plain dialect, what the other ways of Boost.JSON would cost
// (docs/decisions/0001-json-parser.md has the figures), and what the model's dialects cost.
//
//   ninja -C build/release codec_bench && taskset -c 0 build/release/tests/bench/codec_bench
#include <benchmark/benchmark.h>

#include <boost/json/monotonic_resource.hpp>
#include <boost/json/parse.hpp>
#include <boost/json/parser.hpp>
#include <boost/json/serializer.hpp>
#include <string>

#include "server/codec/plain_fields.h"
#include "server/codec/plain_json.h"
#include "server/codec/proto_binary.h"
#include "server/codec/proto_json.h"

namespace crier {
namespace {

namespace json = boost::json;

// Of `size` bytes of body. What the k6 scripts send has 13.
std::string Direct(size_t size) {
  return R"({"user_id":"7","action_type":"direct","body":")" + std::string(size, '1') + R"("})";
}

v1::Event Broadcast(size_t size, std::string_view text) {
  v1::Event event;
  v1::Message& message = *event.mutable_message();
  message.set_user_id("7");
  message.set_action_type(v1::BROADCAST);
  while (message.body().size() < size) message.mutable_body()->append(text);
  message.set_offset(123456);
  message.set_epoch(1713910000);
  return event;
}

// ---- Decoding. All of them end with the same frame.

void Decode(benchmark::State& state) {
  const std::string text = Direct(static_cast<size_t>(state.range(0)));
  for (auto _ : state) {
    v1::ClientFrame frame;
    benchmark::DoNotOptimize(DecodePlainJson(text, &frame));
    benchmark::DoNotOptimize(frame);
  }
  state.SetBytesProcessed(state.iterations() * static_cast<int64_t>(text.size()));
}
BENCHMARK(Decode)->Arg(13)->Arg(100)->Arg(1000)->Arg(65536);

void DecodeRefused(benchmark::State& state) {
  const std::string text = R"({"user_id":"7","action_type":"direct"})";
  for (auto _ : state) {
    v1::ClientFrame frame;
    benchmark::DoNotOptimize(DecodePlainJson(text, &frame));
  }
}
BENCHMARK(DecodeRefused);

void ReadFieldsOnly(benchmark::State& state) {
  const std::string text = Direct(static_cast<size_t>(state.range(0)));
  for (auto _ : state) {
    PlainFields fields;
    benchmark::DoNotOptimize(ReadPlainFields(text, &fields));
    benchmark::DoNotOptimize(fields);
  }
}
BENCHMARK(ReadFieldsOnly)->Arg(13)->Arg(100);

// The least that goes from a document to a frame: no checks, so that the comparison favours it.
void FromDocument(const json::value& document, v1::ClientFrame* frame) {
  v1::Message* message = frame->mutable_publish();
  for (const auto& [key, value] : document.as_object()) {
    const std::string_view name(key.data(), key.size());
    if (name == "user_id") message->set_user_id(value.as_string().c_str());
    if (name == "body") {
      message->set_body(std::string(value.as_string().data(), value.as_string().size()));
    }
    if (name == "action_type" && value.as_string() == "direct") {
      message->set_action_type(v1::DIRECT);
    }
  }
}

void DecodeByDocument(benchmark::State& state) {
  const std::string text = Direct(static_cast<size_t>(state.range(0)));
  for (auto _ : state) {
    v1::ClientFrame frame;
    FromDocument(json::parse(text), &frame);
    benchmark::DoNotOptimize(frame);
  }
  state.SetBytesProcessed(state.iterations() * static_cast<int64_t>(text.size()));
}
BENCHMARK(DecodeByDocument)->Arg(13)->Arg(100)->Arg(1000)->Arg(65536);

// The same with all that Boost.JSON offers: a parser kept from message to message, and the document
// in a buffer on the stack.
void DecodeByDocumentOnTheStack(benchmark::State& state) {
  const std::string text = Direct(static_cast<size_t>(state.range(0)));
  unsigned char scratch[4096];
  json::parser parser(json::storage_ptr(), json::parse_options(), scratch);
  for (auto _ : state) {
    v1::ClientFrame frame;
    unsigned char buffer[4096];
    json::monotonic_resource resource(buffer, sizeof(buffer));
    parser.reset(&resource);
    parser.write(text.data(), text.size());
    FromDocument(parser.release(), &frame);
    benchmark::DoNotOptimize(frame);
  }
  state.SetBytesProcessed(state.iterations() * static_cast<int64_t>(text.size()));
}
BENCHMARK(DecodeByDocumentOnTheStack)->Arg(13)->Arg(100)->Arg(1000)->Arg(65536);

// ---- Encoding.

void Encode(benchmark::State& state) {
  const v1::Event event = Broadcast(static_cast<size_t>(state.range(0)), "1");
  std::string out;
  for (auto _ : state) {
    out.clear();
    AppendPlainJson(event, "crier/0.1.0", &out);
    benchmark::DoNotOptimize(out.data());
  }
  state.SetBytesProcessed(state.iterations() * static_cast<int64_t>(out.size()));
}
BENCHMARK(Encode)->Arg(13)->Arg(100)->Arg(1000)->Arg(65536);

void EncodeEscaped(benchmark::State& state) {
  const v1::Event event = Broadcast(static_cast<size_t>(state.range(0)), "\"a\":\"b\",\n");
  std::string out;
  for (auto _ : state) {
    out.clear();
    AppendPlainJson(event, "crier/0.1.0", &out);
    benchmark::DoNotOptimize(out.data());
  }
  state.SetBytesProcessed(state.iterations() * static_cast<int64_t>(out.size()));
}
BENCHMARK(EncodeEscaped)->Arg(100)->Arg(65536);

void EncodeByDocument(benchmark::State& state) {
  const v1::Event event = Broadcast(static_cast<size_t>(state.range(0)), "1");
  const v1::Message& message = event.message();
  std::string out;
  for (auto _ : state) {
    const json::value document = {{"user_id", message.user_id()}, {"action_type", "broadcast"},
                                  {"body", message.body()},       {"data", "crier/0.1.0"},
                                  {"offset", message.offset()},   {"epoch", message.epoch()}};
    out.clear();
    json::serializer serializer;
    serializer.reset(&document);
    char buffer[1024];
    while (!serializer.done()) {
      const json::string_view part = serializer.read(buffer);
      out.append(part.data(), part.size());
    }
    benchmark::DoNotOptimize(out.data());
  }
  state.SetBytesProcessed(state.iterations() * static_cast<int64_t>(out.size()));
}
BENCHMARK(EncodeByDocument)->Arg(13)->Arg(100)->Arg(1000);

// ---- The same messages in crier.v1.json and crier.v1.proto
// (docs/decisions/0006-model-dialects.md).

void DecodeModelJson(benchmark::State& state) {
  const std::string text = R"({"publish":{"userId":"7","actionType":"DIRECT","body":")" +
                           std::string(static_cast<size_t>(state.range(0)), '1') + R"("}})";
  for (auto _ : state) {
    v1::ClientFrame frame;
    benchmark::DoNotOptimize(DecodeProtoJson(text, &frame));
    benchmark::DoNotOptimize(frame);
  }
  state.SetBytesProcessed(state.iterations() * static_cast<int64_t>(text.size()));
}
BENCHMARK(DecodeModelJson)->Arg(13)->Arg(100)->Arg(1000)->Arg(65536);

void DecodeModelBinary(benchmark::State& state) {
  v1::ClientFrame sent;
  sent.mutable_publish()->set_user_id("7");
  sent.mutable_publish()->set_action_type(v1::DIRECT);
  sent.mutable_publish()->set_body(std::string(static_cast<size_t>(state.range(0)), '1'));
  const std::string bytes = sent.SerializeAsString();
  for (auto _ : state) {
    v1::ClientFrame frame;
    benchmark::DoNotOptimize(DecodeProtoBinary(bytes, &frame));
    benchmark::DoNotOptimize(frame);
  }
  state.SetBytesProcessed(state.iterations() * static_cast<int64_t>(bytes.size()));
}
BENCHMARK(DecodeModelBinary)->Arg(13)->Arg(100)->Arg(1000)->Arg(65536);

void EncodeModelJson(benchmark::State& state) {
  const v1::Event event = Broadcast(static_cast<size_t>(state.range(0)), "1");
  std::string out;
  for (auto _ : state) {
    out.clear();
    AppendProtoJson(event, &out);
    benchmark::DoNotOptimize(out.data());
  }
  state.SetBytesProcessed(state.iterations() * static_cast<int64_t>(out.size()));
}
BENCHMARK(EncodeModelJson)->Arg(13)->Arg(100)->Arg(1000)->Arg(65536);

}  // namespace
}  // namespace crier
