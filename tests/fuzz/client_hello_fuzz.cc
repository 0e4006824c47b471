// Whatever the first bytes of a connection are: no crash; what was said of some of them is said of
// more of them too, because the connection has been handed over by then; and of a ClientHello, the
// same as OpenSSL reads in it.
#include <openssl/ssl.h>

#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <memory>
#include <string_view>

#include "server/admin/spoken_protocol.h"

namespace crier {
namespace {

struct Free {
  void operator()(SSL_CTX* context) const { SSL_CTX_free(context); }
  void operator()(SSL* ssl) const { SSL_free(ssl); }
};

// What OpenSSL was told.
struct Offer {
  bool read = false;  // it is a ClientHello
  bool well_formed = true;
  bool http1 = false;
  bool http2 = false;
};

void ReadList(std::string_view list, Offer* offer) {
  offer->well_formed = list.size() > 2;
  if (!offer->well_formed) return;
  const size_t said =
      static_cast<size_t>(static_cast<uint8_t>(list[0])) << 8 | static_cast<uint8_t>(list[1]);
  list.remove_prefix(2);
  offer->well_formed = said == list.size();
  while (offer->well_formed && !list.empty()) {
    const size_t length = static_cast<uint8_t>(list[0]);
    offer->well_formed = length > 0 && length < list.size();
    if (!offer->well_formed) return;
    const std::string_view name = list.substr(1, length);
    offer->http1 |= name == "http/1.1";
    offer->http2 |= name == "h2";
    list.remove_prefix(1 + length);
  }
}

int OnClientHello(SSL* ssl, int* alert, void*) {
  auto* offer = static_cast<Offer*>(SSL_get_app_data(ssl));
  offer->read = true;
  const unsigned char* bytes = nullptr;
  size_t size = 0;
  if (SSL_client_hello_get0_ext(ssl, TLSEXT_TYPE_application_layer_protocol_negotiation, &bytes,
                                &size) == 1) {
    ReadList({reinterpret_cast<const char*>(bytes), size}, offer);
  }
  *alert = SSL_AD_INTERNAL_ERROR;
  return SSL_CLIENT_HELLO_ERROR;  // that is all that was to be known
}

Offer OfferIn(std::string_view bytes) {
  static SSL_CTX* const context = [] {
    SSL_CTX* made = SSL_CTX_new(TLS_server_method());
    SSL_CTX_set_client_hello_cb(made, &OnClientHello, nullptr);
    return made;
  }();
  Offer offer;
  const std::unique_ptr<SSL, Free> ssl(SSL_new(context));
  SSL_set_app_data(ssl.get(), &offer);
  BIO* in = BIO_new_mem_buf(bytes.data(), static_cast<int>(bytes.size()));
  SSL_set_bio(ssl.get(), in, BIO_new(BIO_s_mem()));
  SSL_accept(ssl.get());
  return offer;
}

// The ClientHello is all in the first record, as SpokenInTls takes it. Another one is HTTP/1.1.
bool InOneRecord(std::string_view bytes) {
  const auto at = [bytes](size_t i) { return static_cast<size_t>(static_cast<uint8_t>(bytes[i])); };
  if (bytes.size() < 9 || at(0) != 22) return false;
  const size_t record = at(3) << 8 | at(4);
  const size_t message = at(6) << 16 | at(7) << 8 | at(8);
  return record >= 4 && message <= record - 4;
}

void CheckThatItStays(SpokenProtocol (*spoken)(std::string_view), std::string_view bytes) {
  const SpokenProtocol of_all = spoken(bytes);
  // A few places to cut: all of them would be quadratic.
  for (const size_t size : {size_t{1}, size_t{5}, size_t{14}, bytes.size() / 2, bytes.size() - 1}) {
    if (size == 0 || size >= bytes.size()) continue;
    const SpokenProtocol of_part = spoken(bytes.substr(0, size));
    if (of_part != SpokenProtocol::kNotYet && of_part != of_all) std::abort();
  }
}

}  // namespace
}  // namespace crier

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using crier::SpokenProtocol;
  if (size == 0) return 0;
  const std::string_view bytes(reinterpret_cast<const char*>(data), size);
  crier::CheckThatItStays(&crier::SpokenPlainly, bytes);
  crier::CheckThatItStays(&crier::SpokenInTls, bytes);
  if (!crier::InOneRecord(bytes)) return 0;
  const crier::Offer offer = crier::OfferIn(bytes);
  if (!offer.read || !offer.well_formed) return 0;
  const bool http2 = offer.http2 && !offer.http1;
  const SpokenProtocol expected = http2 ? SpokenProtocol::kHttp2 : SpokenProtocol::kHttp1;
  if (crier::SpokenInTls(bytes) != expected) std::abort();
  return 0;
}
