#include "client/bench/delivery.h"

namespace crier::bench {
namespace {

void FromMessage(const v1::Message& message, Delivery* delivery) {
  if (message.action_type() == v1::BROADCAST) delivery->kind = DeliveryKind::kBroadcast;
  if (message.action_type() == v1::DIRECT) delivery->kind = DeliveryKind::kDirect;
  delivery->offset = message.offset();
  delivery->epoch = message.epoch();
  delivery->stamp = LeadingNumber(message.body());
  delivery->topic = message.topic();
}

void FromGap(const v1::Gap& gap, Delivery* delivery) {
  delivery->kind = DeliveryKind::kGap;
  delivery->mailbox = gap.mailbox();
  delivery->epoch = gap.epoch();
  delivery->first = gap.first();
  delivery->last = gap.last();
  delivery->topic = gap.topic();
}

}  // namespace

Delivery ToDelivery(const v1::Event& event) {
  Delivery delivery;
  if (event.has_message()) {
    FromMessage(event.message(), &delivery);
  } else if (event.has_gap()) {
    FromGap(event.gap(), &delivery);
  } else if (event.has_error()) {
    delivery.kind = DeliveryKind::kError;
    delivery.outcome = event.error().outcome();
    delivery.text = event.error().message();
  }
  return delivery;
}

}  // namespace crier::bench
