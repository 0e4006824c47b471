#include "tests/conformance/connect_conformance_unary.h"

#include <google/protobuf/any.pb.h>

#include <algorithm>
#include <boost/asio/steady_timer.hpp>
#include <cctype>
#include <memory>
#include <string_view>
#include <utility>

#include "server/base/concat.h"

namespace crier::testing {
namespace {

namespace v1 = connectrpc::conformance::v1;

UnaryError ErrorOf(const v1::Error& asked, const v1::ConformancePayload::RequestInfo& info) {
  UnaryError error{.code = asked.code(),
                   .message = asked.message(),
                   .details = {asked.details().begin(), asked.details().end()}};
  error.details.emplace_back().PackFrom(info);
  return error;
}

template <class Response>
void Answer(UnaryCall& call, v1::UnaryResponseDefinition definition,
            v1::ConformancePayload::RequestInfo info) {
  for (const v1::Header& header : definition.response_headers()) {
    for (const std::string& value : header.value()) {
      call.AddHeader(LowerCase(header.name()), value);
    }
  }
  for (const v1::Header& trailer : definition.response_trailers()) {
    for (const std::string& value : trailer.value()) {
      call.AddTrailer(LowerCase(trailer.name()), value);
    }
  }
  if (definition.has_error()) return call.Fail(ErrorOf(definition.error(), info));
  Response response;
  response.mutable_payload()->set_data(definition.response_data());
  *response.mutable_payload()->mutable_request_info() = std::move(info);
  call.Respond(response);
}

template <class Request, class Response>
void Add(std::string_view name, UnaryMethods* methods) {
  methods->Add<Request, Response>(
      Concat({"/connectrpc.conformance.v1.ConformanceService/", name}),
      [](UnaryCall& call, Request request) {
        auto info = RequestInfoOf(call.head().fields, call.head().timeout);
        info.add_requests()->PackFrom(request);
        v1::UnaryResponseDefinition definition = std::move(*request.mutable_response_definition());
        const std::chrono::milliseconds delay(definition.response_delay_ms());
        if (delay.count() == 0) {
          return Answer<Response>(call, std::move(definition), std::move(info));
        }
        auto timer = std::make_shared<boost::asio::steady_timer>(call.shard().io(), delay);
        boost::asio::steady_timer& waiting = *timer;
        waiting.async_wait(call.Later(
            [timer = std::move(timer), definition = std::move(definition), info = std::move(info)](
                UnaryCall& asked, const boost::system::error_code& error) mutable {
              if (error || asked.over()) return;
              Answer<Response>(asked, std::move(definition), std::move(info));
            }));
      },
      UnaryMethods::Fields::kKeep);
}

}  // namespace

void AddConformanceMethods(UnaryMethods* methods) {
  Add<v1::UnaryRequest, v1::UnaryResponse>("Unary", methods);
  Add<v1::IdempotentUnaryRequest, v1::IdempotentUnaryResponse>("IdempotentUnary", methods);
}

v1::ConformancePayload::RequestInfo RequestInfoOf(const CallFields& fields,
                                                  std::optional<std::chrono::nanoseconds> timeout) {
  v1::ConformancePayload::RequestInfo info;
  auto& headers = *info.mutable_request_headers();
  for (const auto& [name, value] : fields) {
    // The values of one name belong together.
    auto found =
        std::find_if(headers.begin(), headers.end(),
                     [&name = name](const v1::Header& header) { return header.name() == name; });
    v1::Header& header = found == headers.end() ? *headers.Add() : *found;
    header.set_name(name);
    header.add_value(value);
  }
  if (timeout) {
    info.set_timeout_ms(std::chrono::duration_cast<std::chrono::milliseconds>(*timeout).count());
  }
  return info;
}

std::string LowerCase(std::string text) {
  std::transform(text.begin(), text.end(), text.begin(),
                 [](unsigned char c) { return static_cast<char>(std::tolower(c)); });
  return text;
}

}  // namespace crier::testing
